using PostTrain.Recipes;

namespace PostTrain.Tests.Recipes;

public sealed class SafetyFrontierTests
{
    [Fact]
    public void Tax_IsTheAreaBelowTheAccuracyBeforeTraining()
    {
        // A(s) is 0.9 up to 0.2, 0.8 up to 0.5 (the later step is better there), 0.6 up to 1.
        var frontier = new SafetyFrontier([(0, 0, 0.9), (1, 0.2, 0.9), (2, 0.4, 0.7), (3, 0.5, 0.8), (4, 1, 0.6)]);
        Assert.Equal(0.3 * 0.1 + 0.5 * 0.3, frontier.Tax(), 12);
        Assert.Equal(1, frontier.Reached);
        Assert.Equal(0.9, frontier.Accuracy(0.2));
        Assert.Equal(0.8, frontier.Accuracy(0.21));
        Assert.Equal(0.6, frontier.Accuracy(1));
        // Over what was reached only.
        var half = new SafetyFrontier([(0, 0, 0.9), (1, 0.5, 0.7)]);
        Assert.Equal(0.2, half.Tax(), 12);
        Assert.Null(half.Accuracy(0.6));
        // Refusals before training cost nothing, a gain is negative, and no refusal is no tax.
        Assert.Equal(0, new SafetyFrontier([(0, 0.4, 0.9)]).Tax(), 12);
        Assert.Equal(-0.1, new SafetyFrontier([(0, 0, 0.8), (1, 1, 0.9)]).Tax(), 12);
        Assert.Equal(0, new SafetyFrontier([(0, 0, 0.8), (1, 0, 0.2)]).Tax());
        Assert.Throws<ArgumentOutOfRangeException>(() => half.Accuracy(1.1));
    }
}
