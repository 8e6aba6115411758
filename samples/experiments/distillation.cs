#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Distillation: a student learns from a teacher by any of the methods, beside a copy that learns the same data by supervised fine-tuning in
// as many steps.
//   dotnet run -c Release samples/experiments/distillation.cs [-- --method gkd --model STUDENT --teacher DIR --data FILE --steps N
// --output DIR]
// Records: prompt and completion, instruction (input) output, question and answer, messages, and others: docs/data.md. Both models must
// have one tokenizer.
using System.Diagnostics;
using PostTrain.Compression.Pruning;
using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var divergences = new Dictionary<string, Func<double, Divergence>>
{
    ["forward-kl"] = _ => Divergence.ForwardKl,
    ["reverse-kl"] = _ => Divergence.ReverseKl,
    ["symmetric-kl"] = Divergence.SymmetricKl,
    ["jsd"] = Divergence.GeneralizedJsd,
    ["total-variation"] = _ => Divergence.TotalVariation,
};
var onPolicy = new Dictionary<string, Func<double, OnPolicyObjective>>
{
    ["gkd"] = OnPolicyObjective.Gkd,
    ["minillm"] = _ => OnPolicyObjective.MiniLlm(),
    ["per-token"] = _ => OnPolicyObjective.PerToken(),
};
string[] names = [.. divergences.Keys, .. onPolicy.Keys, "sequence"];

var command = new SampleCommand(
    "distillation",
    $"Distils a teacher into a student. Methods: {string.Join(", ", names)} (learns what the teacher writes).",
    steps: 150
);
var methodName = command.Option("--method", "Which of them.", "gkd");
var teacherFolder = command.Option<string?>(
    "--teacher",
    "Directory of the teacher; on the toy by default its model, fine-tuned on worked sums.",
    null
);
var beta = command.Option(
    "--beta",
    "Of jsd and gkd: near 0 the forward KL, near 1 the reverse one; of symmetric-kl the forward one's weight.",
    0.5,
    OptionRange.Between(0, 1)
);
var share = command.Option(
    "--student-share",
    "Of gkd: the share of steps on what the student writes; the others are on the data.",
    0.5,
    OptionRange.Between(0, 1)
);
var temperature = command.Option(
    "--temperature",
    "Of the methods on the data: both models' logits are divided by it.",
    1.0,
    OptionRange.Positive
);
var teacherSteps = command.Option("--teacher-steps", "Steps of supervised fine-tuning of the toy's teacher.", 150, OptionRange.AtLeast(1));
var startSteps = command.Option(
    "--start-steps",
    "Steps of supervised fine-tuning of the toy's student before both ways part.",
    100,
    OptionRange.AtLeast(1)
);
var rate = command.Option<double?>(
    "--learning-rate",
    "Of the student; by default what suits its width: 2e-3 up to 64, less in wider models.",
    null,
    OptionRange.Positive
);
var batch = command.Option("--batch-size", "Examples or prompts in a step.", 32, OptionRange.AtLeast(1));
var tokens = command.Option("--tokens", "Most tokens that a model writes.", 48, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string method = values.GetValue(methodName)!;
        if (!names.Contains(method))
            throw new ArgumentException($"--method is '{method}', expected {string.Join(", ", names)}");
        if (run.Model is not null && values.GetValue(teacherFolder) is null)
            throw new ArgumentException("--model is the student, expected --teacher with the teacher's directory too");
        using var subject = Subject.Load(run);
        using var teacher = subject.Again(values.GetValue(teacherFolder) ?? subject.Folder);
        var data = TaskData.Load(run, subject, values.GetValue(template)!, reserve: 1);

        // The toy's student is its model without the middle one of three layers; it begins with what it can learn in a few steps, as
        // nothing can be mended in noise.
        using var start = subject.IsToy ? Small() : subject.Again();
        if (values.GetValue(teacherFolder) is { } folder)
            SharedTokenizer.Check(
                folder,
                subject.Tokenizer,
                data.Train.Concat(data.HeldOut).Select(example => example.Prompt + example.Completion)
            );
        if (subject.IsToy && values.GetValue(teacherFolder) is null)
            Sft("the teacher", teacher, values.GetValue(teacherSteps), data.Train, subject.Rate(1e-3), "teacher");
        if (subject.IsToy)
            Sft("the student's start", start, values.GetValue(startSteps), data.Train, 2e-3, "start");
        using Decoder plain = start.Copy(),
            student = start.Copy();
        double studentRate = values.GetValue(rate) ?? subject.Rate(2e-3);
        var watch = Stopwatch.StartNew();
        var plainReports = Sft("supervised fine-tuning", plain, run.Steps, data.Train, studentRate, "sft");
        var plainTime = watch.Elapsed;
        watch.Restart();
        var reports = await DistilAsync();
        var time = watch.Elapsed;
        subject.Save(student, run.PathOf("model"));

        DistillationResult[] results =
        [
            Measured("before", start),
            Measured("SFT", plain, plainTime),
            Measured(method, student, time),
            Measured("teacher", teacher),
        ];
        var (sft, after) = (results[1], results[2]);
        var table = DistillationResult.Table(results, after, sft, subject.IsToy);
        ConsoleTable.Print(table);
        const string reading =
            "Nats per token. The first divergence is on the data's completions, the second on what each model itself "
            + "answers. The last row is example by example: where its interval does not hold 0 the two models differ. One "
            + "run each, so this says nothing of other seeds.";
        Console.WriteLine(reading);
        string teacherName = values.GetValue(teacherFolder) ?? "the toy's model, fine-tuned on worked sums";
        var page = run.Page(
                $"Distillation: {method}",
                $"{(subject.IsToy ? "A small student" : subject.Name)} learns from {teacherName}; a copy of it learns the same "
                    + $"{data.Train.Count} examples by supervised fine-tuning in as many steps."
            )
            .Tiles(RunReport.Tiles(reports))
            .Table("Held-out examples", table)
            .Paragraph(reading);
        if (subject.IsToy)
            page.Proportions(
                "Right answers to held-out sums",
                [.. results.Select(result => new NamedProportion(result.Name, result.Right))]
            );
        page.Curves("Supervised fine-tuning", new CurveChart("Loss", "nats per token", CurveSeries.Of(plainReports, "loss")))
            .Completions("The same held-out prompts, before and after", Measure.Pairs(results[0].Answers, after.Answers))
            .Run(reports, completions: run.LoggedCompletions);
        var summary = results.ToDictionary(result => result.Name, object (result) => result.Summary(subject.IsToy));
        foreach (var (name, difference) in after.Minus(sft, subject.IsToy))
            (summary[$"{name}_minus_sft"], summary[$"{name}_minus_sft_interval"]) = (difference.Mean, difference.Interval);
        (summary["method"], summary["held_out"]) = (method, data.HeldOut.Count);
        run.Finish(page, summary);

        async Task<IReadOnlyList<StepReport>> DistilAsync()
        {
            if (divergences.TryGetValue(method, out var divergence))
            {
                var compared = new DistillationOptions
                {
                    Divergence = divergence(values.GetValue(beta)),
                    Temperature = values.GetValue(temperature),
                };
                using var trainer = new DistillationTrainer(
                    student,
                    subject.Tokenizer,
                    ReferencePolicy.Of(teacher),
                    Common(compared, run.Steps, studentRate)
                );
                return run.Train(method, run.Steps, trainer.Run(data.Train, cancellation: run.Cancellation), method);
            }
            if (method == "sequence")
            {
                Problem[] asked = [.. data.Train.Take(run.Steps * values.GetValue(batch)).Select(example => new Problem(example.Prompt))];
                Demonstration[] written =
                [
                    .. Measure
                        .Answers(teacher, subject.Tokenizer, asked, values.GetValue(tokens))
                        .Where(answer => answer.Finished)
                        .Select(answer => new Demonstration(answer.Problem.Prompt, answer.Text)),
                ];
                Console.WriteLine($"the teacher has answered {written.Length} of {asked.Length} prompts to the end");
                if (written.Length == 0)
                    throw new ArgumentException(
                        $"the teacher ends none of its answers within --tokens {values.GetValue(tokens)}, expected some to learn from"
                    );
                return Sft(method, student, run.Steps, written, studentRate, method);
            }
            var options = Common(
                new OnPolicyDistillationOptions
                {
                    Objective = onPolicy[method](values.GetValue(beta)),
                    StudentShare = method == "gkd" ? values.GetValue(share) : 1,
                    Aggregation = method == "minillm" ? LossAggregation.SequenceMean : LossAggregation.TokenMean,
                    Sampling = new SamplingOptions { MaxNewTokens = values.GetValue(tokens) },
                    CompletionObservers = [run.Completions],
                },
                run.Steps,
                studentRate
            );
            using var own = new OnPolicyDistillationTrainer(student, subject.Tokenizer, ReferencePolicy.Of(teacher), options);
            return await run.TrainAsync(
                method,
                run.Steps,
                own.RunAsync(
                    [.. data.Train.Select(example => new Problem(example.Prompt, example.Completion))],
                    cancellation: run.Cancellation
                ),
                method
            );
        }

        IReadOnlyList<StepReport> Sft(
            string title,
            Decoder model,
            int steps,
            IReadOnlyList<Demonstration> examples,
            double learningRate,
            string part
        )
        {
            using var trainer = new SftTrainer(model, subject.Tokenizer, Common(new SftOptions(), steps, learningRate));
            return run.Train(title, steps, trainer.Run(examples, cancellation: run.Cancellation), part);
        }

        T Common<T>(T options, int steps, double learningRate)
            where T : TrainingOptions =>
            (T)(
                options with
                {
                    Steps = steps,
                    BatchSize = values.GetValue(batch),
                    MicroBatchSize = run.MicroBatch(data.Longest),
                    LearningRate = learningRate,
                    WarmupSteps = steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = run.Seed,
                }
            );

        DistillationResult Measured(string name, Decoder model, TimeSpan? took = null) =>
            DistillationResult.Of(name, model, teacher, subject, data, values.GetValue(tokens), took);

        Decoder Small()
        {
            var model = StructuredPruning.WithoutLayers(subject.Model, 1);
            model.PaddingFree = run.PaddingFree;
            return model;
        }
    }
);

/// <summary>Checks that two models use the same tokenizer.</summary>
internal static class SharedTokenizer
{
    private const string Expected =
        "expected the student's tokenizer: distillation compares the models token by token. With another tokenizer a student can "
        + "be trained on texts of the teacher, with samples/experiments/sft.cs";

    /// <summary>Rejects a teacher with different token ids: another vocabulary, or other ids for one of the texts.</summary>
    /// <param name="folder">The teacher's directory.</param>
    /// <param name="student">The student's tokenizer.</param>
    /// <param name="texts">The training texts.</param>
    /// <exception cref="ArgumentException">The tokenizers differ.</exception>
    public static void Check(string folder, ITokenizer student, IEnumerable<MarkedText> texts)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(texts);
        var teacher = TokenizerFiles.Load(folder);
        if (teacher.VocabularySize != student.VocabularySize || teacher.EndOfSequenceId != student.EndOfSequenceId)
            throw new ArgumentException(
                $"--teacher {folder} has a vocabulary of {teacher.VocabularySize} that ends texts with {Id(teacher)}, the student "
                    + $"one of {student.VocabularySize} that ends them with {Id(student)}; {Expected}"
            );
        foreach (var text in texts)
            if (!Reads(teacher, text, student.Encode(text)))
                throw new ArgumentException(
                    $"--teacher {folder} reads '{text[..Math.Min(40, text.Length)]}' as other token ids than the student; {Expected}"
                );
    }

    private static string Id(ITokenizer tokenizer) => tokenizer.EndOfSequenceId is { } id ? $"id {id}" : "none";

    private static bool Reads(ITokenizer tokenizer, MarkedText text, int[] ids)
    {
        try
        {
            return tokenizer.Encode(text).AsSpan().SequenceEqual(ids);
        }
        catch (ArgumentException)
        {
            // It cannot encode the text.
            return false;
        }
    }
}
