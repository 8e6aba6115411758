using System.Xml.Linq;
using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Tests.Training.Reports;

public sealed class RunReportTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Write_OfLogs_ShowsEverything()
    {
        using (var metrics = MetricsLog.Open(directory.File("metrics.jsonl")))
        using (var completions = CompletionLog.Open(directory.File("completions.jsonl"), every: 20, rows: 2))
            for (int t = 1; t <= 60; t++)
            {
                metrics.Report(Step(t));
                completions.Report(Completions(t));
            }
        var path = RunReport.Write(directory.File("metrics.jsonl"), title: "A run");
        Assert.Equal(directory.File("report.html"), path);
        var html = File.ReadAllText(path);
        if (Environment.GetEnvironmentVariable("POSTTRAIN_KEEP_REPORT") is { Length: > 0 } kept)
            File.Copy(path, kept, overwrite: true);
        XDocument.Parse(html.Replace("<!DOCTYPE html>", "", StringComparison.Ordinal));
        foreach (
            var text in new[]
            {
                "Mean reward",
                "Held-out reward",
                "Diagnostics",
                "equal-rewards",
                "In each of the last 3 steps all completions had the same reward",
                "Time by part",
                "rollout",
                "75.0 %",
                "25.0 %",
                "90.0 s",
                "30.0 s",
                "KL divergence from the reference",
                "own/number",
                "Completions over the run",
                "answer &lt;20&gt; 0",
                "cut off",
                "<td class=\"text\">20+4=</td>",
                "Time per step",
            }
        )
            Assert.Contains(text, html, StringComparison.Ordinal);
        Assert.DoesNotContain("answer &lt;21&gt;", html, StringComparison.Ordinal);
    }

    // Fixed data: no reward, no completions, no rollouts.
    [Fact]
    public void Of_SupervisedRun_HasItsLosses()
    {
        var html = RunReport
            .Of(
                "SFT",
                [
                    .. Enumerable
                        .Range(1, 30)
                        .Select(t => new StepReport(
                            t,
                            2.0 / t,
                            new Dictionary<string, double> { ["accuracy"] = 0.5, ["eval/loss"] = 3.0 / t },
                            TimeSpan.FromSeconds(t)
                        )),
                ]
            )
            .ToHtml();
        Assert.Contains("held out", html, StringComparison.Ordinal);
        Assert.Contains("Held-out loss", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Mean reward", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Completions over", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Diagnostics", html, StringComparison.Ordinal);
    }

    // A reward of one part, and PPO's sum with its penalties: the part is the mean, and no name stands for two lines.
    [Fact]
    public void RewardChart_DrawsEachLineOnce()
    {
        var html = Chart(
            "Reward",
            Enumerable
                .Range(1, 30)
                .Select(t => new StepReport(
                    t,
                    0,
                    new Dictionary<string, double>
                    {
                        ["reward/mean"] = t,
                        ["reward/std"] = 1,
                        ["reward/learnt"] = t,
                        ["reward/total"] = t - 0.5,
                    },
                    TimeSpan.Zero
                ))
        );
        Assert.Equal(["mean", "total"], Legend(html));
    }

    // Pairs: what has a scale of its own has a chart of its own, with the held-out course beside the training's.
    [Fact]
    public void Preferences_HaveTheirCharts()
    {
        StepReport[] reports =
        [
            .. Enumerable
                .Range(1, 30)
                .Select(t => new StepReport(
                    t,
                    1,
                    new Dictionary<string, double>
                    {
                        ["reward/chosen"] = t,
                        ["reward/rejected"] = -t,
                        ["reward/margin"] = 2 * t,
                        ["reward/accuracy"] = 0.9,
                        ["reward/mean"] = 0,
                        ["eval/reward/accuracy"] = 0.8,
                        ["eval/reward/mean"] = 0,
                        ["logp/chosen"] = -t,
                        ["logp/rejected"] = -2 * t,
                        ["eval/loss"] = 2,
                        ["loss"] = 1,
                    },
                    TimeSpan.FromSeconds(t)
                )),
        ];
        Assert.Equal(["mean", "chosen", "rejected"], Legend(Chart("Reward", reports)));
        Assert.Equal(["training", "held out"], Legend(Chart("Chosen above rejected", reports)));
        Assert.Equal(["chosen", "rejected"], Legend(Chart("Log-probability of a completion", reports)));
        Assert.Equal(["training", "held out"], Legend(Chart("Loss", reports)));
        Assert.Equal(["Held-out loss", "Training loss", "Steps", "Time"], RunReport.Tiles(reports).Select(tile => tile.Name));
        var named = new HtmlReport("two").Run(reports, name: "First").ToHtml();
        Assert.Contains("<h2>First</h2>", named, StringComparison.Ordinal);
        Assert.DoesNotContain("proxy-above-gold", named, StringComparison.Ordinal);
        Assert.Empty(RunReport.Tiles([]));
    }

    // No axis from −1 to 1 around a line at 0.
    [Fact]
    public void WhatNeverChanges_IsANumber()
    {
        var html = RunReport
            .Of(
                "run",
                [
                    .. Enumerable
                        .Range(1, 30)
                        .Select(t => new StepReport(
                            t,
                            1,
                            new Dictionary<string, double> { ["policy/clip_fraction"] = 0, ["completion/finished"] = t == 30 ? 0.5 : 1 },
                            TimeSpan.Zero
                        )),
                ]
            )
            .ToHtml();
        Assert.Contains("Constant metrics", html, StringComparison.Ordinal);
        Assert.Contains("<dt>Clipped tokens</dt><dd>0 share</dd>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Clipped tokens</span>", html, StringComparison.Ordinal);
        Assert.Contains("Finished completions</span>", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_NoSteps_IsAPage() =>
        XDocument.Parse(RunReport.Of("nothing", []).ToHtml().Replace("<!DOCTYPE html>", "", StringComparison.Ordinal));

    [Fact]
    public void CompletionLog_KeepsItsTurn_AndContinues()
    {
        var path = directory.File("completions.jsonl");
        using (var log = CompletionLog.Open(path, every: 5, rows: 3))
            for (int t = 1; t <= 12; t++)
                log.Report(Completions(t));
        Assert.Equal([1L, 1, 1, 5, 5, 5, 10, 10, 10], CompletionLog.Read(path).Select(completion => completion.Step));
        // Three of eight, spread: 0, 2, 5.
        Assert.Equal(
            ["answer <5> 0", "answer <5> 2", "answer <5> 5"],
            CompletionLog.Read(path).Skip(3).Take(3).Select(completion => completion.Completion)
        );
        var whole = File.ReadAllText(path);
        File.AppendAllText(path, "{\"step\":15,\"pro");
        using (var log = CompletionLog.Open(path, resumeAfterStep: 7, every: 5, rows: 3))
            for (int t = 8; t <= 12; t++)
                log.Report(Completions(t));
        Assert.Equal(whole, File.ReadAllText(path));
        File.AppendAllText(path, "{\"step\":15}\n");
        Assert.Contains("line 10", Assert.Throws<InvalidDataException>(() => CompletionLog.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CompletionLog_CutsWhatIsTooLong()
    {
        var path = directory.File("completions.jsonl");
        using (var log = CompletionLog.Open(path))
            log.Report(
                new CompletionReport(
                    1,
                    [new Completion(new Problem("p"), new string('a', CompletionLog.MaximumCharacters - 1) + "😀b", [1, 2], true)],
                    RewardScores.Of("r", [0.5])
                )
            );
        Assert.Equal(
            new LoggedCompletion(1, "p", new string('a', CompletionLog.MaximumCharacters - 1) + "…", 0.5, 2, true),
            Assert.Single(CompletionLog.Read(path))
        );
    }

    [Fact]
    public void TimeSplit_AddsUp_InTheOrderOfAStep()
    {
        var parts = TimeSplit.Of([Step(1), Step(2)]);
        Assert.Equal([("rollout", 3.0), ("update", 1.0)], parts.Select(part => (part.Name, part.Amount)));
        Assert.Equal(["3.0 s", "1.0 s"], parts.Select(part => part.Text));
        Assert.Empty(TimeSplit.Of([]));
    }

    private static XElement Chart(string title, IEnumerable<StepReport> reports) =>
        XDocument
            .Parse(RunReport.Of("run", [.. reports]).ToHtml().Replace("<!DOCTYPE html>", "", StringComparison.Ordinal))
            .Descendants("figure")
            .Single(figure => figure.Descendants("span").First().Value == title);

    private static IEnumerable<string> Legend(XElement figure) =>
        figure
            .Descendants("span")
            .Where(span => ((string?)span.Attribute("class"))?.StartsWith("key", StringComparison.Ordinal) == true)
            .Select(span => span.Value);

    private static StepReport Step(int t) =>
        new(
            t,
            0.02,
            new Dictionary<string, double>
            {
                ["time/update"] = 0.5,
                ["time/rollout"] = 1.5,
                ["reward/mean"] = t > 50 ? 1 : t / 60.0,
                ["reward/std"] = t > 50 ? 0 : 0.4,
                ["reward/correct"] = t / 80.0,
                ["reward/format"] = t / 70.0,
                ["eval/reward/mean"] = t / 65.0,
                ["kl"] = 0.001 * t,
                ["entropy"] = 1 - t / 100.0,
                ["completion/length"] = 20 + t / 30.0,
                ["grad_norm"] = 0.4,
                ["tokens_per_second"] = 1200 + 10 * (t % 7),
                ["own/number"] = t,
            },
            TimeSpan.FromSeconds(2 * t)
        );

    private static CompletionReport Completions(int t)
    {
        Completion[] completions =
        [
            .. Enumerable.Range(0, 8).Select(i => new Completion(new Problem($"{t}+{i}="), $"answer <{t}> {i}", [1, 2, 3], i % 2 == 1)),
        ];
        return new CompletionReport(t, completions, RewardScores.Of("r", [.. completions.Select((_, i) => i / 8.0)]));
    }
}
