using System.Text.Json;
using System.Xml.Linq;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

public sealed class RunComparisonTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Runs_LieOverOneAnother_OneLineEach()
    {
        var page = Parse(RunComparison.Of([Run("a/out", 1, 0.1), Run("b/out", 2, 0.1)]));
        var loss = page.Descendants("figure").Single(figure => figure.Descendants("span").First().Value == "Loss");
        var series = JsonDocument.Parse(loss.Attribute("data-chart")!.Value).RootElement;
        // Names as long as it takes to tell them apart.
        Assert.Equal(["a/out", "b/out"], series.EnumerateArray().Select(line => line.GetProperty("name").GetString()));
        Assert.Equal(["[[1,1],[2,0.5]]", "[[1,2],[2,1]]"], series.EnumerateArray().Select(line => line.GetProperty("raw").GetRawText()));
        Assert.Contains(page.Descendants("figure"), figure => figure.Descendants("span").First().Value == "Loss, held out");
    }

    [Fact]
    public void Settings_AreThoseThatDiffer()
    {
        string text = RunComparison.Of([Run("a", 1, 0.1), Run("b", 1, 0.2)]).ToHtml();
        Assert.Contains("LearningRate", text, StringComparison.Ordinal);
        Assert.DoesNotContain("BatchSize", text, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "Settings that differ",
            RunComparison.Of([Run("c", 1, 0.1), Run("d", 1, 0.1)]).ToHtml(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void OtherFolders_AreRefused()
    {
        Assert.Throws<ArgumentException>("folders", () => RunComparison.Of([Run("a", 1, 0.1)]));
        Assert.Throws<FileNotFoundException>(() => RunComparison.Of([directory.File("a"), directory.File("nowhere")]));
        Run("b", 1, 0.1);
        File.WriteAllText(directory.File("b/summary.json"), "[1]");
        Assert.Throws<InvalidDataException>(() => RunComparison.Of([directory.File("a"), directory.File("b")]));
    }

    // A reached goal folds the warnings; one that is missed shows them, those that need action in their colour.
    [Theory]
    [InlineData(0.5, true)]
    [InlineData(2, false)]
    public void Warnings_AreFolded_WhereTheGoalIsReached(double end, bool reached)
    {
        StepReport[] reports =
        [
            .. Enumerable
                .Range(1, 20)
                .Select(t => new StepReport(
                    t,
                    1 + (end - 1) * t / 20,
                    new Dictionary<string, double>
                    {
                        ["grad_norm"] = t < 10 ? 0 : 1,
                        ["eval/loss"] = t == 5 ? double.NaN : 1 + (end - 1) * t / 20,
                    },
                    TimeSpan.FromSeconds(t)
                )),
        ];
        Assert.Equal(reached, RunReport.ReachedGoal(reports));
        var page = Parse(RunReport.Of("run", reports));
        Assert.Equal(reached, page.Descendants("details").Any());
        Assert.Equal(!reached, page.Descendants("article").Any(article => article.Attribute("class")!.Value == "warning"));
        Assert.Contains(page.Descendants("article"), article => article.Value.Contains("not-finite", StringComparison.Ordinal));
    }

    // An evaluation before training: it begins the curve, names the start, and is no step of the training loss.
    [Fact]
    public void StepZero_IsTheStart()
    {
        StepReport[] reports =
        [
            new(0, double.NaN, new Dictionary<string, double> { ["eval/loss"] = 4 }, TimeSpan.Zero),
            new(1, 3.5, new Dictionary<string, double> { ["eval/loss"] = 3 }, TimeSpan.FromSeconds(1)),
            new(2, 3, new Dictionary<string, double> { ["eval/loss"] = 2 }, TimeSpan.FromSeconds(2)),
        ];
        var tiles = RunReport.Tiles(reports);
        Assert.Equal(("Held-out loss", "2.00", "from 4.00"), (tiles[0].Name, tiles[0].Value, tiles[0].Note));
        Assert.Equal(("Training loss", "3.00", null), (tiles[1].Name, tiles[1].Value, tiles[1].Note));
        Assert.Equal([1.0, 2], CurveSeries.Of(reports, "loss").Points.Select(point => point.Step));
        Assert.Equal([0.0, 1, 2], CurveSeries.Of(reports, "eval/loss").Points.Select(point => point.Step));
        Assert.Empty(PostTrain.Training.Diagnostics.TrainingDiagnostics.Of(reports));
    }

    private string Run(string name, double scale, double rate)
    {
        var folder = directory.File(name);
        Directory.CreateDirectory(folder);
        using (var log = MetricsLog.Open(Path.Combine(folder, "metrics.jsonl")))
            foreach (var step in (int[])[1, 2])
                log.Report(
                    new StepReport(
                        step,
                        scale / step,
                        new Dictionary<string, double> { ["eval/loss"] = scale / step },
                        TimeSpan.FromSeconds(step)
                    )
                );
        SummaryFile.Write(
            Path.Combine(folder, "summary.json"),
            RunDescription.Of("sft", new SftOptions { LearningRate = rate }),
            new Dictionary<string, object>()
        );
        return folder;
    }

    private static XDocument Parse(HtmlReport report) =>
        XDocument.Parse(report.ToHtml().Replace("<!DOCTYPE html>", "", StringComparison.Ordinal));
}
