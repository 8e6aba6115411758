using PostTrain.Operators;

namespace PostTrain.Tests.Operators;

public sealed class LanesTests
{
    [Fact]
    public void Exp_IsMathExp_ToTheLastBits()
    {
        var random = new Random(1);
        for (int i = 0; i < 20000; i++)
        {
            double x = (random.NextDouble() - 0.5) * (i % 2 == 0 ? 4 : 1418);
            var value = Lanes.Exp(System.Runtime.Intrinsics.Vector256.Create(x), out var minusOne);
            Assert.True(Math.Abs(value[0] - Math.Exp(x)) <= 3e-16 * Math.Exp(x) + 5e-324, $"exp({x:R}) is {value[0]:R}");
            double expected = Math.Abs(x) < 0.1 ? Series(x) : Math.Exp(x) - 1;
            Assert.True(
                Math.Abs(minusOne[0] - expected) <= 1e-14 * Math.Abs(expected),
                $"expm1({x:R}) is {minusOne[0]:R}, expected {expected:R}"
            );
        }
    }

    [Theory]
    [InlineData(double.NaN, double.NaN, double.NaN)]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity, 0, -1)]
    [InlineData(800, double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(-800, 0, -1)]
    [InlineData(0, 1, 0)]
    [InlineData(1e-300, 1, 1e-300)]
    public void Exp_AtTheEnds(double x, double expected, double minusOne)
    {
        var value = Lanes.Exp(System.Runtime.Intrinsics.Vector256.Create(x), out var less);
        Assert.Equal((expected, minusOne), (value[3], less[3]));
    }

    private static double Series(double x)
    {
        double sum = 0,
            term = 1;
        for (int n = 1; n < 20; n++)
            sum += term *= x / n;
        return sum;
    }
}
