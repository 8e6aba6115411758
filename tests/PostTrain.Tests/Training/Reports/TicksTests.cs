using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

public sealed class TicksTests
{
    [Theory]
    [InlineData(0, 1, "0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(0, 0.97, "0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(0.1, 0.30000000000000004, "0.10 0.15 0.20 0.25 0.30")]
    [InlineData(-0.3, 0.5, "-0.4 -0.2 0 0.2 0.4 0.6")]
    [InlineData(6.7, 15.2, "6 8 10 12 14 16")]
    [InlineData(4573, 5987, "4500 5000 5500 6000")]
    [InlineData(0, 20000, "0 5k 10k 15k 20k")]
    [InlineData(0, 3e6, "0 1M 2M 3M")]
    [InlineData(0, 5e-5, "0 1e-5 2e-5 3e-5 4e-5 5e-5")]
    [InlineData(7, 7, "6.0 6.5 7.0 7.5 8.0")]
    [InlineData(0, 0, "-1.0 -0.5 0 0.5 1.0")]
    public void Around_Range_IsEnclosedByRoundNumbers(double min, double max, string expected)
    {
        var ticks = Ticks.Around(min, max, 4);
        Assert.Equal(expected, string.Join(' ', ticks.Values.Select(ticks.Label)));
    }

    [Theory]
    [InlineData(1, 300, "50 100 150 200 250 300")]
    [InlineData(1, 4, "1 2 3 4")]
    [InlineData(0, 100000, "0 20k 40k 60k 80k 100k")]
    [InlineData(5, 5, "")]
    public void Within_StepsOfARun_AreWholeAndInside(double min, double max, string expected)
    {
        var ticks = Ticks.Within(min, max, 5, minimumStep: 1);
        Assert.Equal(expected, string.Join(' ', ticks.Values.Select(ticks.Label)));
    }

    [Theory]
    [InlineData(-1e100, 1e100)]
    [InlineData(0, 1e-99)]
    [InlineData(0, double.Epsilon)]
    [InlineData(1e15, 1e15 + 1)]
    [InlineData(1, 1.0000000000000002)]
    public void Around_ExtremeRange_GivesFewAscendingTicksThatEncloseIt(double min, double max)
    {
        var values = Ticks.Around(min, max, 4).Values;

        Assert.InRange(values.Count, 2, 12);
        Assert.Equal(values.Distinct().Order(), values);
        Assert.True(values[0] <= min && values[^1] >= max);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.25, "0.250")]
    [InlineData(7.434, "7.43")]
    [InlineData(-42.26, "-42.3")]
    [InlineData(5214.4, "5214")]
    [InlineData(25300, "25.3k")]
    [InlineData(0.00005, "5e-5")]
    [InlineData(double.NaN, "NaN")]
    public void Short_Number_IsReadable(double value, string expected) => Assert.Equal(expected, Ticks.Short(value));
}
