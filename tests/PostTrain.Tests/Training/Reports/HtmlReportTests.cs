using System.Text.Json;
using System.Xml.Linq;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

public sealed class HtmlReportTests
{
    private const string Hostile = "<script>alert('x')</script> & \"quoted\" ]]> \u0000\u001b[31m \ud800 -->";

    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private static CurveChart Chart(params double[] values) =>
        new("Reward", "", new CurveSeries("reward", [.. values.Select((v, i) => new CurvePoint(i + 1, v))]));

    private static XElement Drawing(CurveChart chart) => XDocument.Parse(chart.ToSvg()).Root!;

    private static string[] Paths(XElement svg) => [.. svg.Descendants(Svg + "path").Select(p => p.Attribute("d")!.Value)];

    private static HtmlReport Full(string text) =>
        new HtmlReport(text, text)
            .Facts(text, text)
            .Tiles(new SummaryTile(text, text, text))
            .Paragraph(text, text)
            .Proportions(text, new NamedProportion(text, new Proportion(1, 3)), new NamedProportion(text, new Proportion(0, 0)))
            .Table(
                text,
                new ReportTable(
                    [text, text],
                    [
                        [text, "1.5"],
                    ]
                )
            )
            .Curves(text, new CurveChart(text, text, [new CurveSeries(text, [new(1, 0.5), new(2, 0.7)]), new CurveSeries(text, [])]))
            .Completions(text, new CompletionPair(text, text, text, new Verdict(true, text), new Verdict(false, text)))
            .Settings(text, [KeyValuePair.Create(text, text)]);

    [Fact]
    public void ToHtml_HostileText_StaysTextEverywhere()
    {
        // Well-formed as XML, so nothing of the text became markup; title, subtitle, and so on give it back but for the control characters.
        var page = XDocument.Parse(Full(Hostile).ToHtml());

        Assert.Equal(ReportScript.Js, page.Descendants("script").Single().Value);
        Assert.DoesNotContain("\u001b", page.ToString(), StringComparison.Ordinal);
        var seen = "<script>alert('x')</script> & \"quoted\" ]]> \uFFFD\uFFFD[31m \uFFFD -->";
        Assert.Equal(seen, page.Descendants("h1").Single().Value);
        Assert.Equal(seen, page.Descendants("title").First().Value);
        Assert.Equal(3, page.Descendants("pre").Count(p => p.Value == seen));
        Assert.Equal(
            7,
            page.Descendants("h2").Count(h => h.Value == seen) + page.Descendants("p").Count(p => p.Attribute("class")!.Value == "prose")
        );
    }

    [Fact]
    public void ToHtml_WholeReport_RefersToNothingOutside()
    {
        var page = Full("text").ToHtml();

        Assert.DoesNotContain("http", page.Replace(Svg.NamespaceName, "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.DoesNotContain("url(", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", page, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", page, StringComparison.Ordinal);
    }

    [Fact]
    public void ToHtml_EqualInput_GivesEqualBytes() => Assert.Equal(Full("a").ToHtml(), Full("a").ToHtml());

    [Fact]
    public void Table_RowOfWrongLength_IsRefused() =>
        Assert.Throws<ArgumentException>(
            "table",
            () =>
                new HtmlReport("t").Table(
                    "",
                    new ReportTable(
                        ["a", "b"],
                        [
                            ["1"],
                        ]
                    )
                )
        );

    [Fact]
    public void Table_ColumnOfNumbers_IsFlushRight()
    {
        var page = XDocument.Parse(
            new HtmlReport("t")
                .Table(
                    "",
                    new ReportTable(
                        ["name", "change"],
                        [
                            ["a1", "−1.5 %"],
                            ["2b", "+3"],
                        ]
                    )
                )
                .ToHtml()
        );
        Assert.Equal(["text", "number"], page.Descendants("th").Select(h => h.Attribute("class")!.Value));
    }

    [Fact]
    public void ToSvg_TwoPoints_SpanTheDrawing()
    {
        // The drawing reaches from x 44 to 410 and from y 194 (value 0) up to 12 (value 1).
        Assert.Equal(["M44 194L410 12"], Paths(Drawing(Chart(0, 1))));
    }

    [Fact]
    public void ToSvg_NotANumber_LeavesAGapAndALonePointIsADot()
    {
        var svg = Drawing(Chart(0, 1, double.NaN, 0.5, double.PositiveInfinity, 1, 1));

        Assert.Equal(2, Paths(svg).Single().Split('M', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Single(svg.Elements(Svg + "circle"));
        Assert.DoesNotContain("NaN", svg.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("∞", svg.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData()]
    [InlineData(double.NaN, double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void ToSvg_NothingToDraw_SaysSo(params double[] values)
    {
        var svg = Drawing(Chart(values));

        Assert.Equal("no values", svg.Elements(Svg + "text").Single().Value);
        Assert.Empty(Paths(svg));
        Assert.Contains("no values", new HtmlReport("t").Curves("", Chart(values)).ToHtml(), StringComparison.Ordinal);
    }

    [Fact]
    public void ToSvg_NoSeries_SaysSo() => Assert.Contains("no values", new CurveChart("t", "", []).ToSvg(), StringComparison.Ordinal);

    [Fact]
    public void ToSvg_OnePoint_IsADot() => Assert.Single(Drawing(Chart(3)).Elements(Svg + "circle"));

    [Fact]
    public void ToSvg_NoisySeries_IsDrawnFaintAndAsItsTrend()
    {
        var styles = Drawing(Chart([.. Enumerable.Range(0, 50).Select(i => i % 2.0)]))
            .Elements(Svg + "path")
            .Select(p => p.Attribute("class")!.Value);
        Assert.Equal(["raw c0", "line c0"], styles);
    }

    [Fact]
    public void ToSvg_ExtremeValues_StayInsideTheDrawing()
    {
        var svg = Drawing(Chart(1e300, 1e99, -1e99, double.Epsilon, 0));
        var numbers = Paths(svg)
            .Single()
            .Split(['M', 'L', ' '], StringSplitOptions.RemoveEmptyEntries)
            .Select(n => double.Parse(n, System.Globalization.CultureInfo.InvariantCulture));
        Assert.All(numbers, n => Assert.InRange(n, 0, 420));
    }

    [Fact]
    public void ToSvg_LongRun_StaysSmall() =>
        Assert.InRange(Chart([.. Enumerable.Range(0, 100_000).Select(i => Math.Sin(i))]).ToSvg().Length, 10_000, 80_000);

    [Fact]
    public void SeriesOf_Reports_TakesTheMetricWhereItIs()
    {
        StepReport[] reports =
        [
            new(1, 0.9, new Dictionary<string, double> { ["kl"] = 0.1 }, TimeSpan.Zero),
            new(2, 0.8, new Dictionary<string, double>(), TimeSpan.Zero),
            new(3, 0.7, new Dictionary<string, double> { ["kl"] = 0.3 }, TimeSpan.Zero),
        ];

        Assert.Equal([new CurvePoint(1, 0.1), new CurvePoint(3, 0.3)], CurveSeries.Of(reports, "kl").Points);
        Assert.Equal([0.9, 0.8, 0.7], CurveSeries.Of(reports, "loss").Points.Select(p => p.Value));
    }

    [Fact]
    public void Save_ReportAndSummary_AreWhatWasGiven()
    {
        var directory = Directory.CreateTempSubdirectory("posttrain-").FullName;
        try
        {
            var (page, summary) = (Path.Combine(directory, "demo", "report.html"), Path.Combine(directory, "demo", "summary.json"));
            Full("é").Save(page);
            SummaryFile.Write(
                summary,
                new Dictionary<string, object>
                {
                    ["accuracy_after"] = 0.975,
                    ["accuracy_after_interval"] = new ConfidenceInterval(0.25, 0.5),
                    ["engine"] = "libtorch <1.13>",
                    ["lost"] = double.NaN,
                    ["steps"] = 300,
                }
            );

            Assert.Equal(Full("é").ToHtml(), File.ReadAllText(page));
            using var json = JsonDocument.Parse(File.ReadAllText(summary));
            Assert.Equal(0.975, json.RootElement.GetProperty("accuracy_after").GetDouble());
            Assert.Equal([0.25, 0.5], json.RootElement.GetProperty("accuracy_after_interval").EnumerateArray().Select(e => e.GetDouble()));
            Assert.Equal("libtorch <1.13>", json.RootElement.GetProperty("engine").GetString());
            Assert.Equal("NaN", json.RootElement.GetProperty("lost").GetString());
            Assert.Equal(
                ["report.html", "summary.json"],
                Directory.GetFiles(Path.Combine(directory, "demo")).Select(Path.GetFileName).Order()
            );
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
