using PostTrain.Policy;
using PostTrain.Policy.Losses;

namespace PostTrain.Tests.Policy;

public sealed class ClipRangeTests
{
    [Fact]
    public void ANumber_StandsForBothSides()
    {
        ClipRange clip = 0.2;
        Assert.Equal(new ClipRange(0.2, 0.2), clip);
        Assert.Equal(clip, ClipRange.FromDouble(0.2));
        Assert.NotEqual(new ClipRange(0.2, 0.28), clip);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(0.2, 1e6)]
    public void Check_TakesWhatTheDocumentationAllows(double lower, double upper) => new ClipRange(lower, upper).Check("clip");

    [Theory]
    [InlineData(-0.1, 0.2, "clip.Lower")]
    [InlineData(1.1, 0.2, "clip.Lower")]
    [InlineData(double.NaN, 0.2, "clip.Lower")]
    [InlineData(0.2, -0.1, "clip.Upper")]
    [InlineData(0.2, double.NaN, "clip.Upper")]
    [InlineData(0.2, double.PositiveInfinity, "clip.Upper")]
    public void Check_NamesTheSideThatIsOutOfRange(double lower, double upper, string name)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new ClipRange(lower, upper).Check("clip"));
        Assert.Equal(name, error.ParamName);
        Assert.Equal(name.EndsWith("Lower", StringComparison.Ordinal) ? lower : upper, error.ActualValue);
    }
}
