using PostTrain.Training;

namespace PostTrain.Tests.Training;

public sealed class LearningRateSchedulesTests
{
    // Warm-up over steps 0..3, then eight steps. cos²(π/8) = 0.8535533905932737.
    [Theory]
    [InlineData(LearningRateSchedule.Constant, 0, 0)]
    [InlineData(LearningRateSchedule.Constant, 1, 0.25)]
    [InlineData(LearningRateSchedule.Constant, 3, 0.75)]
    [InlineData(LearningRateSchedule.Constant, 4, 1)]
    [InlineData(LearningRateSchedule.Constant, 11, 1)]
    [InlineData(LearningRateSchedule.Constant, 50, 1)]
    [InlineData(LearningRateSchedule.Linear, 2, 0.5)]
    [InlineData(LearningRateSchedule.Linear, 4, 1)]
    [InlineData(LearningRateSchedule.Linear, 6, 0.75)]
    [InlineData(LearningRateSchedule.Linear, 11, 0.125)]
    [InlineData(LearningRateSchedule.Linear, 12, 0)]
    [InlineData(LearningRateSchedule.Linear, 50, 0)]
    [InlineData(LearningRateSchedule.Cosine, 2, 0.5)]
    [InlineData(LearningRateSchedule.Cosine, 4, 1)]
    [InlineData(LearningRateSchedule.Cosine, 6, 0.8535533905932737)]
    [InlineData(LearningRateSchedule.Cosine, 8, 0.5)]
    [InlineData(LearningRateSchedule.Cosine, 10, 0.1464466094067263)]
    [InlineData(LearningRateSchedule.Cosine, 12, 0)]
    [InlineData(LearningRateSchedule.Cosine, 50, 0)]
    public void Multiplier_WarmupThenForm(LearningRateSchedule schedule, long step, double expected) =>
        Assert.Equal(expected, schedule.Multiplier(step, warmupSteps: 4, totalSteps: 12), 1e-15);

    [Theory]
    [InlineData(LearningRateSchedule.Linear)]
    [InlineData(LearningRateSchedule.Cosine)]
    public void Multiplier_WithoutWarmup_StartsAtOne(LearningRateSchedule schedule)
    {
        Assert.Equal(1, schedule.Multiplier(0, warmupSteps: 0, totalSteps: 10));
        Assert.Equal(0.5, schedule.Multiplier(5, warmupSteps: 0, totalSteps: 10), 1e-15);
    }

    [Fact]
    public void Multiplier_WarmupLongerThanTheRun_OnlyRises() =>
        Assert.Equal([0, 0.25, 0.5], Enumerable.Range(0, 3).Select(step => LearningRateSchedule.Cosine.Multiplier(step, warmupSteps: 4, totalSteps: 3)));

    [Fact]
    public void Multiplier_UnknownForm_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ((LearningRateSchedule)7).Multiplier(0, 0, 10));
}
