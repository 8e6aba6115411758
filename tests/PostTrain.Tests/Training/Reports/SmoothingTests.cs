using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

public sealed class SmoothingTests
{
    private static CurvePoint[] Points(params double[] values) => [.. values.Select((v, i) => new CurvePoint(i, v))];

    [Fact]
    public void Ema_ThreePoints_ByHand()
    {
        // span 3: k = 1/2. m0 = (0 + 4/2 + 8/4) / (7/4), m1 = (0/2 + 4 + 8/2) / 2, m2 = (0/4 + 4/2 + 8) / (7/4).
        var mean = Smoothing.Ema(Points(0, 4, 8), span: 3);

        Assert.Equal([4 / 1.75, 4.0, 10 / 1.75], mean.Select(p => p.Value), (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void Ema_StraightLine_HasNoLagInTheMiddle() =>
        Assert.Equal(50.0, Smoothing.Ema(Points([.. Enumerable.Range(0, 101).Select(i => (double)i)]), span: 8)[50].Value, 1e-9);

    [Fact]
    public void Ema_NotANumber_LeavesAGapAndDoesNotSpread()
    {
        var mean = Smoothing.Ema(Points(5, double.NaN, 5, double.PositiveInfinity, 5), span: 3);

        Assert.Equal([5, double.NaN, 5, double.PositiveInfinity, 5], mean.Select(p => p.Value));
    }

    [Fact]
    public void IsNoisy_SmoothOrShortCurves_AreNot()
    {
        Assert.False(Smoothing.IsNoisy(Points([.. Enumerable.Range(0, 100).Select(i => Math.Exp(-i / 20.0))])));
        Assert.False(Smoothing.IsNoisy(Points(0, 1, 0, 1, 0, 1)));
        Assert.False(Smoothing.IsNoisy(Points([.. Enumerable.Repeat(0.5, 100)])));
    }

    [Fact]
    public void IsNoisy_UpAndDown_Is() => Assert.True(Smoothing.IsNoisy(Points([.. Enumerable.Range(0, 40).Select(i => i % 2.0)])));

    [Fact]
    public void Thin_LongCurve_KeepsItsPeaksAndGaps()
    {
        var values = Enumerable.Range(0, 10_000).Select(i => Math.Sin(i / 500.0)).ToArray();
        (values[1234], values[4321]) = (50, -50);
        Array.Fill(values, double.NaN, 6000, 1000);

        var thin = Smoothing.Thin(Points(values), buckets: 100);

        Assert.InRange(thin.Count, 100, 200);
        Assert.Contains(new CurvePoint(1234, 50), thin);
        Assert.Contains(new CurvePoint(4321, -50), thin);
        Assert.Contains(thin, p => double.IsNaN(p.Value));
        Assert.Equal(thin.Select(p => p.Step).Order(), thin.Select(p => p.Step));
    }
}
