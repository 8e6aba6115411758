using System.Globalization;
using System.Xml.Linq;
using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

/// <summary>The chart of value against cost, read back from its SVG.</summary>
public sealed class FrontierChartTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    // Powers of ten stand at equal distances on a logarithmic axis, and half-way values on a linear one.
    [Fact]
    public void Points_StandWhereTheAxesSay()
    {
        var drawing = Drawn(
            new FrontierChart("tokens", "share", [Point("a", 10, 0), Point("b", 100, 0.5), Point("c", 1000, 1)]) { LogX = true }
        );
        var circles = drawing.Descendants(Svg + "circle").Select(circle => (X: Number(circle, "cx"), Y: Number(circle, "cy"))).ToArray();
        Assert.Equal(3, circles.Length);
        Assert.Equal((circles[0].X + circles[2].X) / 2, circles[1].X, 0.02);
        Assert.Equal((circles[0].Y + circles[2].Y) / 2, circles[1].Y, 0.02);
        Assert.True(circles[0].X < circles[2].X && circles[0].Y > circles[2].Y);
    }

    [Fact]
    public void Interval_ReachesFromItsLowToItsHigh()
    {
        var drawing = Drawn(
            new FrontierChart("x", "y", [Point("low", 1, 0), new FrontierPoint("p", 2, 0.5, 0.25, 0.75), Point("high", 3, 1)])
        );
        var circles = drawing.Descendants(Svg + "circle").Select(circle => Number(circle, "cy")).ToArray();
        var range = drawing.Descendants(Svg + "line").Where(line => (string?)line.Attribute("class") == "range").ElementAt(1);
        Assert.Equal(circles[0] + (circles[2] - circles[0]) * 0.25, Number(range, "y1"), 0.02);
        Assert.Equal(circles[0] + (circles[2] - circles[0]) * 0.75, Number(range, "y2"), 0.02);
    }

    [Fact]
    public void Labels_OfPointsInOnePlace_DoNotCoverEachOther()
    {
        var drawing = Drawn(new FrontierChart("x", "y", [.. Enumerable.Range(0, 8).Select(i => Point($"method {i}", 5 + i * 0.01, 0.5))]));
        var labels = drawing
            .Descendants(Svg + "text")
            .Where(text => text.Value.StartsWith("method", StringComparison.Ordinal))
            .Select(text => (X: Number(text, "x"), Y: Number(text, "y")))
            .ToArray();
        Assert.Equal(8, labels.Length);
        foreach (var (a, i) in labels.Select((label, i) => (label, i)))
            Assert.All(labels[(i + 1)..], b => Assert.True(Math.Abs(a.Y - b.Y) >= 12 || Math.Abs(a.X - b.X) >= 5.6 * 8, $"{a} covers {b}"));
    }

    [Fact]
    public void Points_ThatAnAxisCannotHold_AreLeftOut()
    {
        FrontierPoint[] points = [Point("zero", 0, 1), Point("nan", 1, double.NaN), Point("good", 1, 1)];
        Assert.Single(Drawn(new FrontierChart("x", "y", points) { LogX = true }).Descendants(Svg + "circle"));
        Assert.Empty(Drawn(new FrontierChart("x", "y", points[..2]) { LogX = true }).Descendants(Svg + "circle"));
    }

    [Fact]
    public void Of_TakesTheProportionsInterval()
    {
        var share = new Proportion(30, 40);
        var point = FrontierPoint.Of("a", 7, share);
        Assert.Equal((7, 0.75, share.Interval().Lower, share.Interval().Upper), (point.X, point.Y, point.Low, point.High));
    }

    private static FrontierPoint Point(string name, double x, double y) => new(name, x, y, y, y);

    private static XElement Drawn(FrontierChart chart) => XElement.Parse(chart.ToSvg());

    private static double Number(XElement element, string name) =>
        double.Parse(element.Attribute(name)!.Value, CultureInfo.InvariantCulture);
}
