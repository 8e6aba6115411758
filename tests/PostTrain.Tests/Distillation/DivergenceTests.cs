using PostTrain.Distillation;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Distillation;

public sealed class DivergenceTests
{
    private static readonly Divergence[] All =
    [
        Divergence.ForwardKl,
        Divergence.ReverseKl,
        Divergence.SymmetricKl(0.3),
        Divergence.GeneralizedJsd(0.5),
        Divergence.GeneralizedJsd(0.1),
        Divergence.TotalVariation,
    ];

    private static Tensor Random(int seed, double scale = 3) => Numbers.Uniform(seed, scale, 4, 6).log_softmax(-1);

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void Divergences_GiveTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        // p = (½, ½), q = (¼, ¾)
        var teacher = tensor(new[] { 0.5, 0.5 }).log().to_type(type);
        var student = tensor(new[] { 0.25, 0.75 }).log().to_type(type);
        double forward = 0.5 * Math.Log(4.0 / 3),
            reverse = 0.75 * Math.Log(3) - Math.Log(2);
        TensorAssert.Close(forward, Divergence.ForwardKl.Between(student, teacher), tolerance);
        TensorAssert.Close(reverse, Divergence.ReverseKl.Between(student, teacher), tolerance);
        TensorAssert.Close(0.3 * forward + 0.7 * reverse, Divergence.SymmetricKl(0.3).Between(student, teacher), tolerance);
        TensorAssert.Close(0.25, Divergence.TotalVariation.Between(student, teacher), tolerance);
        // m = (3/8, 5/8)
        double jsd =
            0.5 * (0.5 * Math.Log(4.0 / 3) + 0.5 * Math.Log(4.0 / 5)) + 0.5 * (0.25 * Math.Log(2.0 / 3) + 0.75 * Math.Log(6.0 / 5));
        TensorAssert.Close(jsd, Divergence.GeneralizedJsd(0.5).Between(student, teacher), tolerance);
        // β = ¼: m = ¼p + ¾q = (5/16, 11/16)
        double skewed =
            0.25 * (0.5 * Math.Log(8.0 / 5) + 0.5 * Math.Log(8.0 / 11)) + 0.75 * (0.25 * Math.Log(4.0 / 5) + 0.75 * Math.Log(12.0 / 11));
        TensorAssert.Close(skewed, Divergence.GeneralizedJsd(0.25).Between(student, teacher), tolerance);
        TensorAssert.Close([0.5 * Math.Log(2), 0.5 * Math.Log(2.0 / 3)], Divergence.ForwardKl.Terms(student, teacher), tolerance);
    }

    [Fact]
    public void Divergences_AreNotNegative_AndZeroForEqualDistributions()
    {
        using var scope = NewDisposeScope();
        foreach (var divergence in All)
        {
            Assert.All(
                Numbers.Values(divergence.Between(Random(1), Random(2))),
                value => Assert.True(value > 1e-3, $"{divergence} is {value}")
            );
            TensorAssert.Close([0, 0, 0, 0], divergence.Between(Random(1), Random(1)), 1e-15, divergence.ToString());
            TensorAssert.Close(
                new double[24],
                Numbers.Gradient(x => divergence.Between(x.log_softmax(-1), Random(1)).sum(), Random(1)),
                1e-15,
                divergence.ToString()
            );
        }
    }

    [Fact]
    public void Jsd_IsSymmetricAtOneHalf_Bounded_AndHasTheKlsAsLimits()
    {
        using var scope = NewDisposeScope();
        var half = Divergence.GeneralizedJsd(0.5);
        TensorAssert.Close(half.Between(Random(3), Random(4)), half.Between(Random(4), Random(3)), 1e-15);
        TensorAssert.Close(
            Divergence.GeneralizedJsd(0.2).Between(Random(3), Random(4)),
            Divergence.GeneralizedJsd(0.8).Between(Random(4), Random(3)),
            1e-15
        );
        // Distributions that never meet reach the bound.
        var (left, right) = (tensor(new[] { 0.0, double.NegativeInfinity }), tensor(new[] { double.NegativeInfinity, 0.0 }));
        TensorAssert.Close(Math.Log(2), half.Between(left, right), 1e-15);
        TensorAssert.Close(-0.1 * Math.Log(0.1) - 0.9 * Math.Log(0.9), Divergence.GeneralizedJsd(0.1).Between(left, right), 1e-15);
        TensorAssert.Close(1, Divergence.TotalVariation.Between(left, right), 1e-15);
        Assert.All(Numbers.Values(half.Between(Random(5, 50), Random(6, 50))), value => Assert.InRange(value, 0, Math.Log(2) + 1e-15));
        const double Small = 1e-6;
        TensorAssert.Close(
            Divergence.ForwardKl.Between(Random(3), Random(4)),
            Divergence.GeneralizedJsd(Small).Between(Random(3), Random(4)) / Small,
            1e-4
        );
        TensorAssert.Close(
            Divergence.ReverseKl.Between(Random(3), Random(4)),
            Divergence.GeneralizedJsd(1 - Small).Between(Random(3), Random(4)) / Small,
            1e-4
        );
        Assert.Same(Divergence.ForwardKl, Divergence.Gkd(0));
        Assert.Same(Divergence.ReverseKl, Divergence.Gkd(1));
        Assert.Equal(Divergence.GeneralizedJsd(0.3), Divergence.Gkd(0.3));
    }

    /// <summary>Pinsker's inequality: TV² ≤ KL/2.</summary>
    [Fact]
    public void TotalVariation_IsBoundedByTheKl()
    {
        using var scope = NewDisposeScope();
        var (student, teacher) = (Random(7), Random(8));
        Assert.True(
            (Divergence.TotalVariation.Between(student, teacher).square() <= Divergence.ForwardKl.Between(student, teacher) / 2)
                .all()
                .ToBoolean()
        );
    }

    [Fact]
    public void Gradients_AgreeWithDifferences_AndSpareTheTeacher()
    {
        using var scope = NewDisposeScope();
        var teacher = Random(9).requires_grad_(true);
        foreach (var divergence in All)
        {
            GradientCheck.Run(x => divergence.Between(x[0].log_softmax(-1), teacher).sum(), Numbers.Uniform(10, 2, 4, 6));
            // On a part of the vocabulary they are not normalised.
            GradientCheck.Run(x => divergence.Between(x[0], teacher).sum(), Random(11));
        }
        Assert.True(teacher.grad is null);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Extremes_AreFiniteWhereTheMathematicsIs(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var student = tensor(new double[] { 1e4, -1e4, 0 }).to_type(type);
        var teacher = tensor(new double[] { -1e4, 1e4, 0 }).to_type(type).log_softmax(-1);
        double[] expected = [2e4, 2e4, 2e4, Math.Log(2), 0.1 * Math.Log(10) + 0.9 * Math.Log(1 / 0.9), 1];
        for (int i = 0; i < All.Length; i++)
        {
            TensorAssert.Close(expected[i], All[i].Between(student.log_softmax(-1), teacher), 1e-6, All[i].ToString());
            TensorAssert.Finite(Numbers.Gradient(x => All[i].Between(x.log_softmax(-1), teacher), student), All[i].ToString());
        }
        // A vocabulary with places that neither may use, and one that only the other may.
        double none = double.NegativeInfinity;
        var masked = tensor(new[] { 1, none, 0.5 }).to_type(type);
        var other = tensor(new[] { 0.5, none, none }).to_type(type).log_softmax(-1);
        foreach (var divergence in All)
        {
            TensorAssert.Finite(
                Numbers.Gradient(x => divergence.Between(x.log_softmax(-1), masked.log_softmax(-1)), masked),
                divergence.ToString()
            );
            if (divergence != Divergence.ReverseKl && divergence != Divergence.SymmetricKl(0.3))
            {
                TensorAssert.Finite(divergence.Between(masked.log_softmax(-1), other), divergence.ToString());
                TensorAssert.Finite(Numbers.Gradient(x => divergence.Between(x.log_softmax(-1), other), masked), divergence.ToString());
            }
        }
        TensorAssert.Close(double.PositiveInfinity, Divergence.ReverseKl.Between(masked.log_softmax(-1), other), 0);
    }

    /// <summary>The best unimodal student of a bimodal teacher: forward KL stretches over both modes, reverse KL takes one.</summary>
    [Fact]
    public void ForwardKlCovers_ReverseKlSeeks()
    {
        using var scope = NewDisposeScope();
        var points = arange(16, dtype: ScalarType.Float64);
        Tensor Bell(double centre, double width) => (points - centre).div(width).square().mul(-0.5);
        var teacher = (Bell(3, 1).exp() + Bell(12, 1).exp() * 0.8).log().log_softmax(-1);
        (double Centre, double Width) Best(Divergence divergence) =>
            (
                from centre in Enumerable.Range(0, 31)
                from width in Enumerable.Range(1, 20)
                select (Centre: centre / 2.0, Width: width / 2.0)
            ).MinBy(student => divergence.Between(Bell(student.Centre, student.Width).log_softmax(-1), teacher).ToDouble());
        var (forward, reverse) = (Best(Divergence.ForwardKl), Best(Divergence.ReverseKl));
        Assert.InRange(forward.Centre, 5, 9);
        Assert.True(forward.Width >= 4, $"the forward KL's width is {forward.Width}");
        Assert.Equal((3, 1), reverse);
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var student = Numbers.Uniform(12, 1, 2, 3).requires_grad_(true);
        using var teacher = Numbers.Uniform(13, 1, 2, 3);
        foreach (var divergence in All)
            Ownership.Check(() => [divergence.Between(student, teacher), divergence.Terms(student, teacher)], student, teacher);
    }

    [Fact]
    public void BadArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        foreach (double beta in new[] { 0, 1, -1, double.NaN })
            Assert.Equal("beta", Assert.Throws<ArgumentOutOfRangeException>(() => Divergence.GeneralizedJsd(beta)).ParamName);
        Assert.Equal("beta", Assert.Throws<ArgumentOutOfRangeException>(() => Divergence.Gkd(1.1)).ParamName);
        Assert.Equal("forwardWeight", Assert.Throws<ArgumentOutOfRangeException>(() => Divergence.SymmetricKl(-0.1)).ParamName);
        Assert.Contains(
            "teacherLogProbs has shape [3], expected [2]",
            Assert.Throws<ArgumentException>(() => Divergence.ForwardKl.Between(zeros(2), zeros(3))).Message
        );
        Assert.Contains(
            "studentLogProbs has type Int64",
            Assert.Throws<ArgumentException>(() => Divergence.ForwardKl.Terms(zeros(2, dtype: ScalarType.Int64), zeros(2))).Message
        );
    }
}
