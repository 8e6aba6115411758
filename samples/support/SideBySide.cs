using System.Diagnostics;
using PostTrain.Adapters;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Supervised;
using PostTrain.Text;
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

/// <summary>A method in a comparison.</summary>
/// <param name="Name">Name of the method.</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="Attach">Attaches it to a fresh copy of the model.</param>
public sealed record Contender(string Name, double LearningRate, Func<Decoder, ITokenizer, Tuning> Attach);

/// <summary>The result of a method in a comparison.</summary>
/// <param name="Contender">The method.</param>
/// <param name="Trainable">Number of trained parameters.</param>
/// <param name="Share">Their share of the model's parameters.</param>
/// <param name="Reports">The reports of its training.</param>
/// <param name="Losses">The loss of each held-out example.</param>
/// <param name="Answers">Its most likely answers to the held-out prompts.</param>
/// <param name="Time">Training time.</param>
/// <param name="MergeDifference">Largest difference of a log-prob after merging into the base model; null if nothing can be merged.</param>
public sealed record ContenderResult(
    Contender Contender,
    long Trainable,
    double Share,
    IReadOnlyList<StepReport> Reports,
    double[] Losses,
    IReadOnlyList<Completion> Answers,
    TimeSpan Time,
    double? MergeDifference
)
{
    /// <summary>True if an answer is correct.</summary>
    public required Func<Completion, bool> IsRight { get; init; }

    /// <summary>The method's name.</summary>
    public string Name => Contender.Name;

    /// <summary>The mean loss of the held-out examples.</summary>
    public Estimate Loss => Estimate.Of(Losses);

    /// <summary>Correct answers; meaningful for the samples' own model only.</summary>
    public Proportion Right => new(Answers.Count(IsRight), Answers.Count);
}

/// <summary>A model with its trainable adapter or prompt.</summary>
/// <param name="Model">The model for trainer and sampler.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Adapters">Its weight adapters; null for none.</param>
/// <param name="Template">Template of the prompt's virtual tokens; null if the model places them itself.</param>
public sealed record Tuning(CausalLm Model, ITokenizer Tokenizer, AdaptedModel? Adapters = null, PromptTemplate? Template = null)
    : IDisposable
{
    /// <summary>Number of trained parameters.</summary>
    public long Trainable => Model.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel());

    /// <summary>Returns an example in this model's form.</summary>
    public Demonstration Prepare(Demonstration example) => Template?.Apply(example) ?? example;

    /// <summary>Returns a problem in this model's form.</summary>
    public Problem Prepare(Problem problem) => Template?.Apply(problem) ?? problem;

    /// <summary>Removes adapters and prompts; the caller owns the base model.</summary>
    public void Dispose()
    {
        Adapters?.Dispose();
        if (Model is PromptedLm)
            Model.Dispose();
    }
}
