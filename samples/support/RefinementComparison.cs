using System.Globalization;
using PostTrain.Rewards;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>A comparison of refinement methods on some tasks over the same seeds, with its log and report.</summary>
public sealed class RefinementComparison
{
    private const int Examples = 2;

    private readonly List<(RefinementTask Task, IReadOnlyList<RefinementResult> Results)> tasks = [];

    /// <summary>The comparison of the methods.</summary>
    public RefinementTable Table { get; } = new("seeds");

    /// <summary>Trains and measures a task for each seed, starting with the run's.</summary>
    public async Task AddAsync(SampleRun run, RefinementTask task, RefinementSettings settings, int seeds)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(task);
        var results = new List<RefinementResult>();
        for (ulong seed = run.Seed; results.Count < seeds; seed++)
        {
            var result = await RefinementTrial.RunAsync(run, task, settings, seed).ConfigureAwait(false);
            run.Log(RefinementTable.Record((long)seed, result.Accuracy, $"{task.Key}/seed{seed}/held_out/"));
            Console.WriteLine(
                $"{task.Name}, seed {seed}: sampled "
                    + $"{string.Join(", ", result.Stages.Select(stage => $"{stage.Name} {Format.Number(stage.Accuracy.Sampled)}"))}; "
                    + $"{result.Collected} own correct answers kept"
            );
            results.Add(result);
        }
        tasks.Add((task, results));
        Table.Add(task.Name, [.. results.Select(result => result.Accuracy)]);
        if (results.All(result => result.Accuracy.Warmup.Sampled == 0 && result.Collected == 0))
            Console.WriteLine(
                $"{task.Name}: the model is never correct after the warm-up, so there is almost no signal to reinforce: use more "
                    + "warm-up steps, easier records or a better model"
            );
    }

    /// <summary>Adds each task's seeds, curves and answers to a report.</summary>
    public void WriteTo(HtmlReport page)
    {
        ArgumentNullException.ThrowIfNull(page);
        foreach (var (task, results) in tasks)
        {
            page.Table(
                $"Each seed, sampled / greedy: {task.Name}",
                new ReportTable(
                    ["seed", .. results[0].Stages.Select(stage => stage.Name), "own answers kept", "seconds of each"],
                    [
                        .. results.Select(
                            (result, i) =>
                                (string[])
                                    [
                                        (i + 1).ToString(CultureInfo.InvariantCulture),
                                        .. result.Stages.Select(stage =>
                                            $"{Format.Number(stage.Accuracy.Sampled)} / {Format.Number(stage.Accuracy.Greedy)}"
                                        ),
                                        Format.Count(result.Collected),
                                        string.Join(" / ", result.Stages.Select(stage => Format.Number(stage.Time.TotalSeconds, 0))),
                                    ]
                        ),
                    ]
                )
            );
            page.Curves(
                $"Training: {task.Name}",
                new CurveChart("Reward while reinforcing", "", Series(results, "ReFT", "reward/mean")),
                new CurveChart("KL divergence from the warm-up", "nats per token", Series(results, "ReFT", "kl")),
                new CurveChart("Loss of SFT, continued", "nats per token", Series(results, "SFT", "loss")),
                new CurveChart("Loss of self-training", "nats per token", Series(results, "self-training", "loss"))
            );
            var (before, after) = (results[0].Stages[1], results[0].Stages[^1]);
            page.Completions(
                $"Most likely answers of the first seed, after SFT and after ReFT: {task.Name}",
                [
                    .. before
                        .Answers.Zip(after.Answers)
                        .Take(Examples)
                        .Select(pair => new CompletionPair(
                            pair.First.Problem.Prompt,
                            pair.First.Text,
                            pair.Second.Text,
                            Judged(before, pair.First),
                            Judged(after, pair.Second)
                        )),
                ]
            );
        }
    }

    private static CurveSeries[] Series(IReadOnlyList<RefinementResult> results, string stage, string metric) =>
        [.. results.Select((result, i) => CurveSeries.Of(result.Stages.Single(item => item.Name == stage).Reports, metric, $"{i + 1}"))];

    private static Verdict Judged(RefinementStage stage, Completion answer) =>
        stage.Right.Contains(answer) ? new Verdict(true, "right") : new Verdict(false, "wrong");
}
