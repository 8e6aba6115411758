using System.Diagnostics;
using PostTrain.Adapters;
using PostTrain.Supervised;
using PostTrain.Training;
using PostTrain.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>Trains several methods on the same data in the same order, each from the same model, and compares them on the same held-out
/// examples.</summary>
public static class SideBySide
{
    /// <summary>Trains and measures all methods.</summary>
    public static IReadOnlyList<ContenderResult> Run(
        SampleRun run,
        Subject subject,
        TaskData data,
        IReadOnlyList<Contender> contenders,
        int batchSize
    )
    {
        ArgumentNullException.ThrowIfNull(contenders);
        return [.. contenders.Select(contender => Run(run, subject, data, contender, batchSize))];
    }

    /// <summary>Creates the table, the report and the summary of a comparison.</summary>
    /// <param name="run">The run.</param>
    /// <param name="subject">The model.</param>
    /// <param name="title">Title of the report.</param>
    /// <param name="story">Description in the report.</param>
    /// <param name="results">The methods' results.</param>
    /// <param name="reference">The method with which the other losses are compared, example by example.</param>
    public static void Conclude(
        SampleRun run,
        Subject subject,
        string title,
        string story,
        IReadOnlyList<ContenderResult> results,
        string reference
    )
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(results);
        var anchor = results.Single(result => result.Name == reference);
        var table = Table(subject, results, anchor);
        ConsoleTable.Print(table);
        const string reading =
            "All intervals are 95 %. The column minus is the difference of the losses, example by example. Methods differ if its "
            + "interval excludes 0; "
            + "this is one run each and says nothing about other seeds. Merge is the largest change of a log-probability after "
            + "merging the adapter.";
        Console.WriteLine(reading);
        var page = run.Page(title, story).Table("Methods", table).Paragraph(reading);
        if (subject.IsToy)
            page.Proportions(
                "Right answers to held-out problems",
                [.. results.Select(result => new NamedProportion(result.Name, result.Right))]
            );
        page.Curves(
            "Training",
            new CurveChart("Loss", "nats per token", [.. results.Select(result => CurveSeries.Of(result.Reports, "loss", result.Name))]),
            new CurveChart("Gradient norm", "", [.. results.Select(result => CurveSeries.Of(result.Reports, "grad_norm", result.Name))]),
            new CurveChart(
                "Speed",
                "tokens per second",
                [.. results.Select(result => CurveSeries.Of(result.Reports, "tokens_per_second", result.Name))]
            )
        );
        page.Paragraph(anchor.Answers[0].Problem.Prompt, "A held-out prompt, and each method's most likely answer")
            .Table(
                "",
                new ReportTable(["method", "answer"], [.. results.Select(result => (string[])[result.Name, result.Answers[0].Text])])
                {
                    TextColumns = [1],
                }
            );
        run.Finish(page, results.ToDictionary(result => result.Name, object (result) => Summary(subject, result, anchor)));
    }

    private static ContenderResult Run(SampleRun run, Subject subject, TaskData data, Contender contender, int batchSize)
    {
        using var model = subject.Again();
        using var tuning = contender.Attach(model, subject.Tokenizer);
        using var trainer = new SftTrainer(
            tuning.Model,
            tuning.Tokenizer,
            new SftOptions
            {
                Steps = run.Steps,
                BatchSize = batchSize,
                MicroBatchSize = run.MicroBatch(data.Longest),
                LearningRate = contender.LearningRate,
                WarmupSteps = run.Steps / 10,
                Schedule = LearningRateSchedule.Cosine,
                Seed = run.Seed,
            }
        );
        var watch = Stopwatch.StartNew();
        var reports = run.Train(
            contender.Name,
            run.Steps,
            trainer.Run([.. data.Train.Select(tuning.Prepare)], cancellation: run.Cancellation),
            contender.Name
        );
        var time = watch.Elapsed;
        double[] losses = Measure.Losses(trainer, [.. data.HeldOut.Select(tuning.Prepare)]);
        var problems = data.Problems.Select(tuning.Prepare).ToArray();
        var answers = Measure.Answers(tuning.Model, tuning.Tokenizer, problems);
        long all = subject.Model.parameters().Sum(parameter => parameter.numel());
        return new ContenderResult(
            contender,
            tuning.Trainable,
            tuning.Trainable / (double)all,
            reports,
            losses,
            [.. answers.Zip(data.Problems, (answer, problem) => answer with { Problem = problem })],
            time,
            tuning.Adapters is null
                ? null
                : MergeDifference(tuning, tuning.Tokenizer.Encode(data.HeldOut[0].Prompt + data.HeldOut[0].Completion))
        )
        {
            IsRight = data.IsRight,
        };
    }

    private static double MergeDifference(Tuning tuning, int[] ids)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        tuning.Model.eval();
        var input = tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0);
        var before = tuning.Model.forward(input).log_softmax(-1);
        tuning.Adapters!.Merge();
        var after = tuning.Model.forward(input).log_softmax(-1);
        tuning.Adapters.Unmerge();
        return (after - before).abs().max().ToDouble();
    }

    private static ReportTable Table(Subject subject, IReadOnlyList<ContenderResult> results, ContenderResult anchor)
    {
        string[] columns =
        [
            "method",
            "trained",
            "learning rate",
            "held-out loss",
            $"minus {anchor.Name}",
            .. subject.IsToy ? ["right answers"] : (string[])[],
            "time",
            "merge |Δ|",
        ];
        return new ReportTable(
            columns,
            [
                .. results.Select(result =>
                    (string[])
                        [
                            result.Name,
                            $"{Format.Count(result.Trainable)} ({Format.Percent(result.Share)})",
                            result.Contender.LearningRate.ToString("G3", System.Globalization.CultureInfo.InvariantCulture),
                            result.Loss.ToString(),
                            result == anchor ? "–" : Estimate.OfDifference(result.Losses, anchor.Losses).ToString(),
                            .. subject.IsToy ? [result.Right.ToString()] : (string[])[],
                            Format.Seconds(result.Time),
                            result.MergeDifference is { } difference ? Format.Small(difference) : "–",
                        ]
                ),
            ]
        );
    }

    private static Dictionary<string, object> Summary(Subject subject, ContenderResult result, ContenderResult anchor)
    {
        var summary = new Dictionary<string, object>
        {
            ["trainable"] = result.Trainable,
            ["loss"] = result.Loss.Mean,
            ["loss_interval"] = result.Loss.Interval,
            [$"loss_minus_{anchor.Name}"] = Estimate.OfDifference(result.Losses, anchor.Losses).Mean,
            [$"loss_minus_{anchor.Name}_interval"] = Estimate.OfDifference(result.Losses, anchor.Losses).Interval,
            ["training_seconds"] = Math.Round(result.Time.TotalSeconds, 2),
        };
        if (subject.IsToy)
            (summary["accuracy"], summary["accuracy_interval"]) = (result.Right.Value, result.Right.Interval());
        if (result.MergeDifference is { } difference)
            summary["merge_difference"] = difference;
        return summary;
    }
}
