using PostTrain.Exact;

namespace PostTrain.Tests.Exact;

public sealed class RefinementChainTests
{
    [Fact]
    public void Accuracy_HandWorked()
    {
        // p* = 0.3/0.4; 0.2·0.9 + 0.8·0.3 = 0.42; 0.42·0.9 + 0.58·0.3 = 0.552.
        var chain = new RefinementChain(repair: 0.3, spoil: 0.1);
        Assert.Equal(0.75, chain.FixedPoint, 14);
        Assert.Equal(0.6, chain.Contraction, 14);
        Assert.Equal(0.2, chain.Accuracy(0.2, 0), 14);
        Assert.Equal(0.42, chain.Accuracy(0.2, 1), 14);
        Assert.Equal(0.552, chain.Accuracy(0.2, 2), 14);
        Assert.Equal(0.75, chain.Accuracy(0.2, 1000), 14);
    }

    [Theory]
    [InlineData(0.3, 0.1)]
    [InlineData(0.9, 0.8)]
    [InlineData(0.05, 0)]
    [InlineData(0, 0.4)]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    public void Accuracy_IsTheRecursion_AndHelpsBelowTheFixedPoint(double a, double b)
    {
        var chain = new RefinementChain(a, b);
        for (double initial = 0; initial <= 1; initial += 0.0625)
        {
            double p = initial;
            for (int round = 0; round < 8; round++)
            {
                Assert.InRange(chain.Accuracy(initial, round) - p, -1e-13, 1e-13);
                p = p * (1 - b) + (1 - p) * a;
            }
            Assert.Equal(chain.Accuracy(initial, 1) > initial + 1e-12, chain.Helps(initial));
            if (a + b > 0 && Math.Abs(initial - chain.FixedPoint) > 1e-12)
                Assert.Equal(initial < chain.FixedPoint, chain.Helps(initial));
        }
    }

    [Fact]
    public void Edges()
    {
        // A sound verifier: nothing is spoiled, and 1 − p_k = (1−p_0)(1−a)^k.
        var sound = new RefinementChain(0.25, 0);
        Assert.Equal(1, sound.FixedPoint);
        Assert.Equal(1 - 0.8 * Math.Pow(0.75, 5), sound.Accuracy(0.2, 5), 14);
        Assert.True(double.IsNaN(new RefinementChain(0, 0).FixedPoint));
        // What is always turned around jumps from side to side.
        Assert.Equal(
            [0.2, 0.8, 0.2],
            Enumerable.Range(0, 3).Select(round => Math.Round(new RefinementChain(1, 1).Accuracy(0.2, round), 12))
        );
        Assert.Contains(
            "repair",
            Assert.Throws<ArgumentOutOfRangeException>(() => new RefinementChain(1.5, 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "spoil",
            Assert.Throws<ArgumentOutOfRangeException>(() => new RefinementChain(0, double.NaN)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => sound.Accuracy(-0.1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => sound.Accuracy(0.1, -1));
    }
}
