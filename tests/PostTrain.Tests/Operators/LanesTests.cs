using PostTrain.Numerics;
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

    [Fact]
    public void Log1P_IsTheSeriesAndTheLogarithm()
    {
        var random = new Random(2);
        for (int i = 0; i < 20000; i++)
        {
            double u = i % 2 == 0 ? random.NextDouble() : Math.Pow(10, -300 * random.NextDouble());
            double expected =
                u < 1e-5
                    ? u - u * u / 2 + u * u * u / 3
                    // Where 1 + u has no rounding.
                    : Math.Log(1 + (u = Math.ScaleB(Math.Round(Math.ScaleB(u, 40)), -40)));
            double value = Lanes.Log1P(System.Runtime.Intrinsics.Vector256.Create(u))[1];
            Assert.True(Math.Abs(value - expected) <= 1e-15 * expected, $"log1p({u:R}) is {value:R}, expected {expected:R}");
        }
        Assert.Equal(0.0, Lanes.Log1P(System.Runtime.Intrinsics.Vector256.Create(0.0))[0]);
        Assert.Equal(Math.Log(2), Lanes.Log1P(System.Runtime.Intrinsics.Vector256.Create(1.0))[0], 5e-16);
    }

    [Fact]
    public void ExpOfSingles_HasItsDigits_AndThoseOfItsRests()
    {
        var random = new Random(3);
        for (int i = 0; i < 20000; i++)
        {
            float x = (float)((random.NextDouble() - 0.5) * (i % 2 == 0 ? 2 : 170));
            var value = VectorMath.Exp(System.Runtime.Intrinsics.Vector256.Create(x), out var minusOne, out var rest);
            double near = Math.Abs(x) < 0.1 ? Series(x) : Math.Exp(x) - 1,
                left = Math.Abs(x) < 0.1 ? SecondSeries(x) : Math.Exp(x) - 1 - x;
            Assert.True(Math.Abs(value[0] - Math.Exp(x)) <= 2e-7 * Math.Exp(x), $"exp({x:R}) is {value[0]:R}");
            Assert.True(Math.Abs(minusOne[1] - near) <= 3e-7 * Math.Abs(near), $"expm1({x:R}) is {minusOne[1]:R}, expected {near:R}");
            Assert.True(Math.Abs(rest[2] - left) <= 1e-6 * left, $"e^x - 1 - x of {x:R} is {rest[2]:R}, expected {left:R}");
        }
    }

    [Theory]
    [InlineData(-100, 99, -1)]
    [InlineData(-1e6, 999999, -1)]
    [InlineData(0, 0, 0)]
    [InlineData(float.NegativeInfinity, float.PositiveInfinity, -1)]
    [InlineData(float.NaN, float.NaN, float.NaN)]
    public void DivergenceOfASingle_IsLinearFarBelow(float x, float expected, float slope)
    {
        var value = KlLanes.Rest(System.Runtime.Intrinsics.Vector256.Create(x), out var found);
        Assert.Equal((expected, slope), (value[0], found[0]));
    }

    // x²/2! + x³/3! + ...
    private static double SecondSeries(double x)
    {
        double sum = 0,
            term = x;
        for (int n = 2; n < 20; n++)
            sum += term *= x / n;
        return sum;
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
