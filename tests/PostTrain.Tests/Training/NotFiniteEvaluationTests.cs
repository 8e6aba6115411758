using System.Text.Json;
using System.Xml.Linq;
using PostTrain.Data;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using PostTrain.Training.Reports;
using PostTrain.Training.TensorBoard;
using TorchSharp;

namespace PostTrain.Tests.Training;

/// <summary>Evaluations whose metric is NaN or infinite, and metrics that no evaluation gives.</summary>
[Collection("Sequential")]
public sealed class NotFiniteEvaluationTests : IDisposable
{
    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1=", "ba")];
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    public static TheoryData<double, int, bool> Cases
    {
        get
        {
            var cases = new TheoryData<double, int, bool>();
            foreach (double value in new[] { double.NaN, double.PositiveInfinity })
            foreach (int at in new[] { 1, 3, 5 })
            foreach (bool higher in new[] { false, true })
                cases.Add(value, at, higher);
            return cases;
        }
    }

    // The loss falls in every step: the last finite one is the best, or the first where more is better.
    [Theory]
    [MemberData(nameof(Cases))]
    public void IsNeverTheBest_AndBreaksNoFile(double value, int at, bool higher)
    {
        using var model = new InterruptedLm();
        int step = 0;
        // Of an infinite loss the logits of all letters are −∞.
        model.Logits = (logits, training) =>
            training || step + 1 != at ? logits
            : double.IsNaN(value) ? logits * double.NaN
            : logits.index_fill(
                -1,
                TorchSharp.torch.tensor(Toy.Tokenizer.Encode("ab").Select(id => (long)id).ToArray()),
                float.NegativeInfinity
            );
        string metrics = directory.File("metrics.jsonl"),
            events;
        var (reports, diagnostics) = (new List<StepReport>(), new TrainingDiagnostics());
        using (var log = MetricsLog.Open(metrics))
        using (var board = TensorBoardLog.Open(directory.File("board")))
        {
            events = board.Path;
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 5,
                    BatchSize = 2,
                    LearningRate = 1e-2,
                    CheckpointDirectory = directory.File("run"),
                    CheckpointEvery = 1,
                    Observers = [log, board, diagnostics],
                    Evaluation = new EvaluationOptions { Every = 1, HigherIsBetter = higher },
                }
            );
            foreach (var report in trainer.Run(Shown, Shown))
            {
                reports.Add(report);
                step = (int)report.Step;
            }
        }
        var losses = reports.Select(report => report.Metrics["eval/loss"]).ToArray();
        Assert.Equal(value, losses[at - 1]);
        var finite = losses.Index().Where(item => double.IsFinite(item.Item));
        int best = 1 + (higher ? finite.MaxBy(item => item.Item) : finite.MinBy(item => item.Item)).Index;
        Assert.Equal(directory.File($"run/checkpoint-{best:D8}"), Checkpoint.Best(directory.File("run")));
        var warning = Assert.Single(diagnostics.Warnings, warning => warning.Name == "not-finite");
        Assert.Equal((at, value), (warning.Step, warning.Value));
        Assert.Contains(FormattableString.Invariant($"eval/loss is {value}"), warning.Message, StringComparison.Ordinal);

        foreach (var line in File.ReadLines(metrics))
            JsonDocument.Parse(line).Dispose();
        foreach (var state in Directory.EnumerateFiles(directory.File("run"), "state.json", SearchOption.AllDirectories))
            JsonDocument.Parse(File.ReadAllText(state)).Dispose();
        Assert.Equal(losses, MetricsLog.Read(metrics).Select(report => report.Metrics["eval/loss"]));
        Assert.Contains(warning with { }, MetricsLog.ReadWarnings(metrics));
        Assert.True(new FileInfo(events).Length > 100);
        var page = XDocument.Parse(File.ReadAllText(RunReport.Write(metrics)));
        Assert.All(
            page.Descendants().Attributes("width").Concat(page.Descendants().Attributes("height")),
            size => Assert.True(double.Parse(size.Value, System.Globalization.CultureInfo.InvariantCulture) >= 0, size.Parent!.ToString())
        );
        Assert.DoesNotContain(page.Descendants(Svg + "path"), path => path.Attribute("d")!.Value.Contains("NaN", StringComparison.Ordinal));
        SummaryFile.Write(
            directory.File("summary.json"),
            new Dictionary<string, object>
            {
                ["loss"] = value,
                ["all"] = losses,
                ["interval"] = new ConfidenceInterval(value, double.NegativeInfinity),
            }
        );
        using var summary = JsonDocument.Parse(File.ReadAllText(directory.File("summary.json")));
        Assert.Equal(double.IsNaN(value) ? "NaN" : "Infinity", summary.RootElement.GetProperty("interval")[0].GetString());
        Assert.Equal("-Infinity", summary.RootElement.GetProperty("interval")[1].GetString());

        // And it is read back.
        using var again = new InterruptedLm(0.3);
        using var resumed = new SftTrainer(
            again,
            Toy.Tokenizer,
            new SftOptions { BatchSize = 2, CheckpointDirectory = directory.File("run") }
        );
        resumed.Resume(Checkpoint.Latest(directory.File("run"))!);
        Assert.Equal(5, resumed.StepsDone);
    }

    [Theory]
    [InlineData(false, double.NegativeInfinity)]
    [InlineData(true, double.PositiveInfinity)]
    [InlineData(false, double.NaN)]
    public void Judge_PassesOver(bool higher, double value)
    {
        var options = new EvaluationOptions { HigherIsBetter = higher };
        Assert.Null(options.Judge(null, 1, value));
        var best = new BestEvaluation(1, 0.5, 1);
        Assert.Equal(best, options.Judge(best, 2, value));
        Assert.Equal(best with { Since = 2 }, options.Judge(best, 2, 0.5));
        Assert.Equal(new BestEvaluation(2, higher ? 1 : 0, 0), options.Judge(best, 2, higher ? 1 : 0));
    }

    // Every second evaluation is NaN, from the first on: the run goes on until three finite ones in a row were no better.
    [Fact]
    public void Patience_IsNotUsedUp()
    {
        using var model = new InterruptedLm();
        int step = 0;
        model.Logits = (logits, training) => training ? logits : (step % 2 == 0 ? double.NaN : 1.0 - 0.01 * step) * logits;
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 50,
                BatchSize = 2,
                LearningRate = 1e-6,
                Evaluation = new EvaluationOptions
                {
                    Every = 1,
                    Patience = 3,
                    HigherIsBetter = true,
                    Metric = "eval/loss",
                },
            }
        );
        var losses = new List<double>();
        foreach (var report in trainer.Run(Shown, Shown))
        {
            losses.Add(report.Metrics["eval/loss"]);
            step = (int)report.Step;
        }
        var finite = losses.Where(double.IsFinite).ToArray();
        int best = Array.IndexOf(finite, finite.Max());
        Assert.Equal(best + 1 + 3, finite.Length);
        Assert.True(double.IsNaN(losses[0]) && losses.Count is > 4 and < 50);
    }

    [Fact]
    public void UnknownMetric_IsRefusedAtTheFirstEvaluation_WithTheNamesThereAre()
    {
        foreach (
            var evaluation in new[]
            {
                new EvaluationOptions { Every = 2, Metric = "eval/los" },
                new EvaluationOptions
                {
                    Every = 2,
                    Metric = "eval/los",
                    Patience = 2,
                },
            }
        )
        {
            using var model = Toy.Model();
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 4,
                    BatchSize = 2,
                    Evaluation = evaluation,
                }
            );
            var error = Assert.Throws<InvalidOperationException>(() => trainer.Run(Shown, Shown).ToArray());
            Assert.Contains(
                "Evaluation.Metric is 'eval/los', which the evaluation does not report; expected one of eval/accuracy, eval/loss",
                error.Message,
                StringComparison.Ordinal
            );
            Assert.Equal(2, trainer.StepsDone);
        }
    }

    [Fact]
    public async Task Patience_OfARolloutTrainer_NeedsAMetricThatItHas()
    {
        using var model = Toy.Model();
        async Task Run(EvaluationOptions evaluation, bool heldOut)
        {
            using var trainer = new GrpoTrainer(
                model,
                Toy.Tokenizer,
                GrpoRuns.Even,
                GrpoRuns.Small with
                {
                    Steps = 2,
                    Evaluation = evaluation,
                }
            );
            await foreach (var _ in trainer.RunAsync(GrpoRuns.Problems, heldOut ? GrpoRuns.Problems : null)) { }
        }

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Run(new EvaluationOptions { Every = 1, Patience = 2 }, true));
        Assert.Contains(
            "is 'eval/loss', which the evaluation does not report; expected one of "
                + "eval/completion/finished, eval/completion/length, eval/reward/even, eval/reward/mean",
            error.Message,
            StringComparison.Ordinal
        );
        var without = await Assert.ThrowsAsync<ArgumentException>(() =>
            Run(
                new EvaluationOptions
                {
                    Every = 1,
                    Patience = 2,
                    Metric = "eval/reward/mean",
                },
                false
            )
        );
        Assert.Contains("Evaluation.Patience is 2 but there is no evaluation", without.Message, StringComparison.Ordinal);
        // Nothing depends on the default.
        await Run(new EvaluationOptions { Every = 1 }, true);
        // A metric of training is there without an evaluation.
        await Run(
            new EvaluationOptions
            {
                Metric = "reward/mean",
                HigherIsBetter = true,
                Patience = 5,
            },
            false
        );
    }
}
