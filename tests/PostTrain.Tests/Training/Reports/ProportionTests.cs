using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

public sealed class ProportionTests
{
    // The first four cases are those that Newcombe 1998 compares methods on (Statistics in Medicine 17:857-872). All numbers were worked
    // out apart from this code: Wilson from its formula, the exact limits by bisection of the binomial tail sums at 0.025.
    [Theory]
    [InlineData(81, 263, 0.2553, 0.3662, 0.2527, 0.3676)]
    [InlineData(15, 148, 0.0624, 0.1605, 0.0578, 0.1617)]
    [InlineData(0, 20, 0.0000, 0.1611, 0.0000, 0.1684)]
    [InlineData(1, 29, 0.0061, 0.1718, 0.0009, 0.1776)]
    [InlineData(0, 10, 0.0000, 0.2775, 0.0000, 0.3085)]
    [InlineData(10, 10, 0.7225, 1.0000, 0.6915, 1.0000)]
    [InlineData(45, 100, 0.3561, 0.5476, 0.3503, 0.5527)]
    public void Intervals_PublishedCases_Agree(
        int successes,
        int trials,
        double wilsonLower,
        double wilsonUpper,
        double exactLower,
        double exactUpper
    )
    {
        var proportion = new Proportion(successes, trials);

        Assert.Equal(wilsonLower, proportion.Interval().Lower, 4);
        Assert.Equal(wilsonUpper, proportion.Interval().Upper, 4);
        Assert.Equal(exactLower, proportion.ExactInterval().Lower, 4);
        Assert.Equal(exactUpper, proportion.ExactInterval().Upper, 4);
    }

    [Theory]
    [InlineData(10, 0.95)]
    [InlineData(200, 0.99)]
    public void ExactInterval_NoSuccess_HasItsClosedForm(int trials, double confidence) =>
        Assert.Equal(1 - Math.Pow((1 - confidence) / 2, 1.0 / trials), new Proportion(0, trials).ExactInterval(confidence).Upper, 1e-7);

    [Theory]
    [InlineData(0, 7)]
    [InlineData(3, 7)]
    [InlineData(150, 200)]
    public void Intervals_SuccessAndFailureSwapped_AreMirrored(int successes, int trials)
    {
        var (one, other) = (new Proportion(successes, trials), new Proportion(trials - successes, trials));

        Assert.Equal(one.Interval().Lower, 1 - other.Interval().Upper, 1e-12);
        Assert.Equal(one.ExactInterval().Lower, 1 - other.ExactInterval().Upper, 1e-7);
    }

    [Fact]
    public void Interval_MoreConfidence_IsWider()
    {
        var proportion = new Proportion(7, 40);
        Assert.True(
            proportion.Interval(0.99).Lower < proportion.Interval(0.9).Lower
                && proportion.Interval(0.99).Upper > proportion.Interval(0.9).Upper
        );
    }

    [Fact]
    public void Intervals_NoTrials_SayNothing()
    {
        var proportion = new Proportion(0, 0);

        Assert.True(double.IsNaN(proportion.Value));
        Assert.Equal(new ConfidenceInterval(0, 1), proportion.Interval());
        Assert.Equal(new ConfidenceInterval(0, 1), proportion.ExactInterval());
    }

    [Fact]
    public void ToString_ValueAndInterval() => Assert.Equal("45.0 % (35.6–54.8 %)", new Proportion(45, 100).ToString());

    [Theory]
    [InlineData(-1, 5)]
    [InlineData(6, 5)]
    [InlineData(0, -1)]
    public void Constructor_ImpossibleCounts_AreRefused(int successes, int trials) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Proportion(successes, trials));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(95)]
    [InlineData(double.NaN)]
    public void Interval_ConfidenceOutOfRange_IsRefused(double confidence)
    {
        Assert.Throws<ArgumentOutOfRangeException>(nameof(confidence), () => new Proportion(1, 2).Interval(confidence));
        Assert.Throws<ArgumentOutOfRangeException>(nameof(confidence), () => new Proportion(1, 2).ExactInterval(confidence));
    }
}
