using PostTrain.Training;

namespace PostTrain.Tests.Training;

public sealed class StepReportTests
{
    [Fact]
    public void ToString_SomeMetrics_IsOneLineInReadingOrder()
    {
        var report = new StepReport(
            12,
            0.25,
            new Dictionary<string, double>
            {
                ["tokens_per_second"] = 5210.4,
                ["learning_rate"] = 5e-5,
                ["kl"] = double.NaN,
                ["reward/mean"] = 0.8125,
                ["some/other"] = 1,
            },
            TimeSpan.Zero
        );

        Assert.Equal("step    12  loss 0.2500  reward/mean 0.8125  kl NaN  learning_rate 5E-5  tokens_per_second 5210", report.ToString());
    }
}
