using PostTrain.Training;

namespace PostTrain.Tests.Training;

public sealed class LearningRateScheduleTests
{
    private static readonly Dictionary<string, LearningRateSchedule> Named = new()
    {
        ["constant"] = LearningRateSchedule.Constant,
        ["linear"] = LearningRateSchedule.Linear,
        ["cosine"] = LearningRateSchedule.Cosine,
        ["cosine to 1/5"] = LearningRateSchedule.CosineTo(0.2),
        ["restarts"] = LearningRateSchedule.CosineWithRestarts(2),
        ["square to 1/5"] = LearningRateSchedule.Polynomial(2, 0.2),
        ["root"] = LearningRateSchedule.InverseSqrt,
        ["root of 1"] = LearningRateSchedule.InverseSqrtOver(1),
        ["plateau"] = LearningRateSchedule.WarmupStableDecay(1.0 / 3, RateCurve.Linear, 0.2),
        ["plateau 1-sqrt"] = LearningRateSchedule.WarmupStableDecay(1.0 / 3, RateCurve.OneMinusSqrt, warmup: RateCurve.Cosine),
        ["from 1/5"] = LearningRateSchedule.Linear with { WarmupFrom = 0.2 },
        ["full at once"] = LearningRateSchedule.Linear with { WarmupFrom = null, WarmupReachesFullRate = true },
        ["1-sqrt up"] = LearningRateSchedule.Constant with { WarmupCurve = RateCurve.OneMinusSqrt },
    };

    // Warm-up over steps 0..3, then eight steps. cos²(π/8) = 0.8535533905932737.
    [Theory]
    [InlineData("constant", 0, 0)]
    [InlineData("constant", 1, 0.25)]
    [InlineData("constant", 3, 0.75)]
    [InlineData("constant", 4, 1)]
    [InlineData("constant", 11, 1)]
    [InlineData("constant", 50, 1)]
    [InlineData("linear", 2, 0.5)]
    [InlineData("linear", 4, 1)]
    [InlineData("linear", 6, 0.75)]
    [InlineData("linear", 11, 0.125)]
    [InlineData("linear", 12, 0)]
    [InlineData("linear", 50, 0)]
    [InlineData("cosine", 2, 0.5)]
    [InlineData("cosine", 4, 1)]
    [InlineData("cosine", 6, 0.8535533905932737)]
    [InlineData("cosine", 8, 0.5)]
    [InlineData("cosine", 10, 0.1464466094067263)]
    [InlineData("cosine", 12, 0)]
    [InlineData("cosine", 16, 0.5)]
    [InlineData("cosine to 1/5", 8, 0.6)]
    [InlineData("cosine to 1/5", 12, 0.2)]
    [InlineData("restarts", 6, 0.5)]
    [InlineData("restarts", 7, 0.1464466094067263)]
    [InlineData("restarts", 8, 1)]
    [InlineData("restarts", 12, 0)]
    [InlineData("restarts", 13, 0)]
    [InlineData("square to 1/5", 8, 0.4)]
    [InlineData("square to 1/5", 50, 0.2)]
    [InlineData("root", 4, 1)]
    [InlineData("root", 16, 0.5)]
    [InlineData("root of 1", 7, 0.5)]
    [InlineData("plateau", 0, 0.2)]
    [InlineData("plateau", 2, 0.6)]
    [InlineData("plateau", 7, 1)]
    [InlineData("plateau", 8, 1)]
    [InlineData("plateau", 9, 0.8)]
    [InlineData("plateau", 12, 0.2)]
    [InlineData("plateau", 50, 0.2)]
    [InlineData("plateau 1-sqrt", 1, 0.1464466094067263)]
    [InlineData("plateau 1-sqrt", 9, 0.5)]
    [InlineData("plateau 1-sqrt", 12, 0)]
    [InlineData("from 1/5", 0, 0.2)]
    [InlineData("from 1/5", 2, 0.6)]
    [InlineData("from 1/5", 4, 1)]
    [InlineData("full at once", 0, 0.25)]
    [InlineData("full at once", 3, 1)]
    [InlineData("full at once", 4, 0.875)]
    [InlineData("full at once", 11, 0)]
    [InlineData("1-sqrt up", 3, 0.5)]
    public void Multiplier_WarmupThenForm(string schedule, long step, double expected) =>
        Assert.Equal(expected, Named[schedule].Multiplier(step, warmupSteps: 4, totalSteps: 12), 1e-15);

    [Theory]
    [InlineData("linear")]
    [InlineData("cosine")]
    public void Multiplier_WithoutWarmup_StartsAtOne(string schedule)
    {
        Assert.Equal(1, Named[schedule].Multiplier(0, warmupSteps: 0, totalSteps: 10));
        Assert.Equal(0.5, Named[schedule].Multiplier(5, warmupSteps: 0, totalSteps: 10), 1e-15);
    }

    [Fact]
    public void Multiplier_InverseSqrtWithoutWarmup_HalvesIn30000() =>
        Assert.Equal([1, 0.5], new long[] { 0, 30_000 }.Select(step => LearningRateSchedule.InverseSqrt.Multiplier(step, 0, 10)));

    [Fact]
    public void Multiplier_WarmupLongerThanTheRun_OnlyRises() =>
        Assert.All(
            Named.Values,
            schedule =>
            {
                double[] values = [.. Enumerable.Range(0, 4).Select(step => schedule.Multiplier(step, warmupSteps: 4, totalSteps: 3))];
                Assert.Equal(values.Order(), values);
            }
        );

    [Fact]
    public void Multiplier_OfAnyForm_StaysBetweenZeroAndOne() =>
        Assert.All(
            Named.Values,
            schedule =>
            {
                foreach (var (warmup, total) in new[] { (0, 1), (1, 1), (1, 7), (5, 4), (3, 40) })
                    for (int step = 0; step < 60; step++)
                        Assert.InRange(schedule.Multiplier(step, warmup, total), 0, 1);
            }
        );

    [Fact]
    public void Schedules_OfTheSameValues_AreEqual()
    {
        Assert.Equal(LearningRateSchedule.Cosine, LearningRateSchedule.CosineTo(0));
        Assert.NotEqual(LearningRateSchedule.Cosine, LearningRateSchedule.CosineTo(0.1));
        Assert.NotEqual(LearningRateSchedule.Linear, LearningRateSchedule.Linear with { WarmupFrom = 0.1 });
    }

    [Fact]
    public void Schedules_OfValuesOutOfRange_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.CosineTo(1.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.CosineTo(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.CosineWithRestarts(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Polynomial(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.Polynomial(1, double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.InverseSqrtOver(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.WarmupStableDecay(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateSchedule.WarmupStableDecay(0.2, (RateCurve)7));
        Assert.Throws<ArgumentOutOfRangeException>(() => (LearningRateSchedule.Linear with { WarmupFrom = -0.1 }).Validate());
        Assert.Throws<ArgumentOutOfRangeException>(() => (LearningRateSchedule.Linear with { WarmupCurve = (RateCurve)7 }).Validate());
    }
}
