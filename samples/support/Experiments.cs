using System.Globalization;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Runtime;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Reports;
using Spectre.Console;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>The experiments of the reinforcement-learning sample: sums on the project's own base model, and style rules on real pretrained
/// models.</summary>
public static class Experiments
{
    /// <summary>Sums of three-digit numbers, rewarded for answer and format only.</summary>
    public static Experiment Arithmetic(string baseModel, int heldOut, ulong seed, ScalarType? type = null)
    {
        var reward = Reward.Weighted(
            (1.0, Reward.MathAnswer(new MathAnswerOptions { Places = AnswerPlaces.Tags })),
            (0.1, Reward.Format(@"(<think>[^<]*</think>)?<answer>[0-9]+</answer>"))
        );
        return new Experiment(
            "R1-Zero in miniature",
            "A small base model was trained on careless notes on sums of three-digit numbers: bare guesses, guesses between "
                + "answer tags, and some "
                + "sums computed column by column, often with an error. GRPO rewards only a correct answer between the tags (1) and "
                + "the format (0.1).",
            Pretrained.Load(baseModel, type),
            TokenizerFiles.Load(baseModel),
            reward,
            ArithmeticTask.Problems(4000, heldOut: false, seed),
            ArithmeticTask.Problems(heldOut, heldOut: true, seed),
            "accuracy",
            completion =>
                AnswerExtraction.Extract(completion.Text, AnswerPlaces.Tags) is { } answer
                && completion.Problem.Answer is { } right
                && AnswerEquivalence.AreEquivalent(answer, right),
            new GrpoOptions
            {
                Steps = 100,
                BatchSize = 32,
                GroupSize = 8,
                MicroBatchSize = 64,
                LearningRate = 1e-3,
                Schedule = LearningRateSchedule.Linear,
                Objective = PolicyObjectives.DrGrpo(40),
                Sampling = new SamplingOptions { MaxNewTokens = 48 },
                Seed = seed,
            }
        );
    }

    /// <summary>The user's model on the user's problems, rewarded for the answer and for the format of R1-Zero's prompt.</summary>
    public static Experiment Problems(SampleRun run, string directory, string template, int tokens)
    {
        ArgumentNullException.ThrowIfNull(run);
        var (model, tokenizer) = (Pretrained.Load(directory, run.Type), TokenizerFiles.Load(directory));
        var fitting = UserData.Fitting(
            RecordReader.Problems(run.Data!, UserData.Template(template, directory)),
            tokenizer,
            model.ContextLength - tokens,
            problem => [problem.Prompt]
        );
        var (train, heldOut) = fitting.Split(run.HeldOut);
        var right = Reward.MathAnswer(new MathAnswerOptions { Name = "right" });
        return new Experiment(
            "R1-Zero on problems with answers",
            $"{directory} is rewarded for a correct answer (1) and for thinking and answering between tags (0.1): "
                + $"{train.Count} training problems, {heldOut.Count} held out.",
            model,
            tokenizer,
            Reward.Weighted((1.0, right), (0.1, Reward.Format(@"\s*<think>[^<]*</think>\s*<answer>[^<]*</answer>\s*"))),
            train,
            heldOut,
            "accuracy",
            completion => right.ScoreAsync([completion], RewardContext.None).AsTask().GetAwaiter().GetResult().Values[0] > 0.5,
            RealOptions(
                run.Seed,
                new SamplingOptions { MaxNewTokens = tokens, SuppressedTokens = Sampled.WithoutText(model, tokenizer) }
            ) with
            {
                // 1e-4 at a width of 240, lower in wider models.
                LearningRate = Math.Min(1e-3, 0.024 / model.HiddenSize),
                MicroBatchSize = run.MicroBatch(fitting.Longest + tokens),
            }
        );
    }

    /// <summary>A real pretrained model from a directory, with a style rule that suits its texts.</summary>
    /// <exception cref="ArgumentException">The sample has no rule for the model.</exception>
    public static Experiment Real(string directory, ulong seed, ScalarType? type = null)
    {
        var tokenizer = TokenizerFiles.Load(directory);
        return tokenizer switch
        {
            GreedyTokenizer => Enthusiasm(directory, tokenizer, seed, type),
            SentencePieceTokenizer => Happy(directory, tokenizer, seed, type),
            _ => throw new ArgumentException(
                $"{directory}: this sample has rules for chat models with tokens.txt and story models with tok*.bin; "
                    + "for other models give --data, problems with their answers",
                nameof(directory)
            ),
        };
    }

    // A chat model, rewarded for enthusiasm.
    private static Experiment Enthusiasm(string directory, ITokenizer tokenizer, ulong seed, ScalarType? type)
    {
        var model = Pretrained.Load(directory, type);
        string[] subjects =
        [
            "the rain",
            "music",
            "books",
            "the sea",
            "cats",
            "dogs",
            "trees",
            "winter",
            "summer",
            "stories",
            "the moon",
            "flowers",
            "bread",
            "games",
            "birds",
            "snow",
        ];
        string[] questions = ["do you like {0}?", "tell me about {0}.", "what do you think of {0}?", "i like {0}.", "have you seen {0}?"];
        Problem[] all =
        [
            .. questions.SelectMany(question =>
                subjects.Select(subject => new Problem(
                    $"[inst] {string.Format(System.Globalization.CultureInfo.InvariantCulture, question, subject)} [/inst]"
                ))
            ),
        ];
        return new Experiment(
            "A chat model learns enthusiasm",
            "A real chat model is rewarded if its reply says \"love\", and slightly for ending within 32 tokens. "
                + "The KL divergence from the frozen model shows the side effects.",
            model,
            tokenizer,
            Reward.Weighted(
                (1.0, Reward.Of("love", completion => Loves(completion) ? 1 : 0)),
                (0.2, Reward.Of("finished", completion => completion.Finished ? 1 : 0))
            ),
            [.. all.Where((_, i) => i % 4 != 0)],
            [.. all.Where((_, i) => i % 4 == 0)],
            "replies that love",
            Loves,
            RealOptions(seed, new SamplingOptions { MaxNewTokens = 32, SuppressedTokens = Sampled.WithoutText(model, tokenizer) })
        );
    }

    // A story model, rewarded for a happy word at the beginning of the story.
    private static Experiment Happy(string directory, ITokenizer tokenizer, ulong seed, ScalarType? type)
    {
        string[] names = ["Lily", "Tom", "Sara", "Ben", "Mia", "Tim", "Anna", "Max", "Sue", "Jack", "Lucy", "Sam"];
        string[] openings =
        [
            "Once upon a time, there was a child named {0}.",
            "One day, {0} went to the park.",
            "{0} had a new toy.",
            "{0} and a friend were in the garden.",
        ];
        Problem[] all =
        [
            .. openings.SelectMany(opening =>
                names.Select(name => new Problem(string.Format(System.Globalization.CultureInfo.InvariantCulture, opening, name)))
            ),
        ];
        return new Experiment(
            "A story model learns to be happy",
            "A real story model is rewarded if the word \"happy\" is in the next 48 tokens. The KL divergence from the frozen "
                + "model shows the side effects.",
            Pretrained.Load(directory, type),
            tokenizer,
            Reward.Of("happy", completion => IsHappy(completion) ? 1 : 0),
            [.. all.Where((_, i) => i % 4 != 0)],
            [.. all.Where((_, i) => i % 4 == 0)],
            "happy beginnings",
            IsHappy,
            RealOptions(seed, new SamplingOptions { MaxNewTokens = 48 })
        );
    }

    private static GrpoOptions RealOptions(ulong seed, SamplingOptions sampling) =>
        new()
        {
            Steps = 40,
            BatchSize = 8,
            GroupSize = 8,
            MicroBatchSize = 32,
            LearningRate = 1e-4,
            Objective = PolicyObjectives.Grpo() with { Beta = 0.04 },
            Sampling = sampling,
            Seed = seed,
        };

    private static bool Loves(Completion completion) => completion.Text.Split(' ', '.', ',', '!', '?').Contains("love");

    private static bool IsHappy(Completion completion) => completion.Text.Contains("happy", StringComparison.OrdinalIgnoreCase);
}

/// <summary>The task of a reinforcement-learning sample: model, problems, reward.</summary>
/// <param name="Title">Heading of the report.</param>
/// <param name="Story">A description in one or two sentences.</param>
/// <param name="Policy">The trained model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Reward">The training reward.</param>
/// <param name="Train">Training problems.</param>
/// <param name="HeldOut">Held-out problems.</param>
/// <param name="Measure">The held-out measure in a word or two.</param>
/// <param name="Succeeds">Returns true if a completion of a held-out problem counts as a success.</param>
/// <param name="Options">The trainer's options.</param>
public sealed record Experiment(
    string Title,
    string Story,
    CausalLm Policy,
    ITokenizer Tokenizer,
    IReward Reward,
    IReadOnlyList<Problem> Train,
    IReadOnlyList<Problem> HeldOut,
    string Measure,
    Func<Completion, bool> Succeeds,
    GrpoOptions Options
);

/// <summary>The outcome of a reinforcement-learning run, as a table, a report and a summary.</summary>
public sealed record Outcome(
    Experiment Experiment,
    GrpoOptions Options,
    IReadOnlyList<Completion> Before,
    IReadOnlyList<Completion> After,
    IReadOnlyList<StepReport> Reports
)
{
    private const int Examples = 3;

    private Proportion BeforeShare => Share(Before);
    private Proportion AfterShare => Share(After);
    private double TokensPerSecond => Reports.Average(report => report.Metrics["tokens_per_second"]);

    /// <summary>Prints the table and some completions, as plain text if the output is redirected.</summary>
    public void Print(TextWriter writer)
    {
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(writer),
                Ansi = TrainingDisplay.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
                ColorSystem = TrainingDisplay.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            }
        );
        var table = new Table()
            .Border(TrainingDisplay.IsTerminal ? TableBorder.Rounded : TableBorder.Ascii)
            .AddColumns("held out", $"{Experiment.Measure}", "95 % interval", "tokens");
        foreach (var (name, completions, share) in new[] { ("before", Before, BeforeShare), ("after", After, AfterShare) })
            table.AddRow(
                name,
                Format.Percent(share.Value),
                share.Interval().ToString(),
                completions.Average(c => c.Tokens.Length).ToString("F1", CultureInfo.InvariantCulture)
            );
        console.Write(table);
        foreach (var pair in Pairs())
        {
            writer.WriteLine(pair.Prompt);
            writer.WriteLine($"  before  {pair.Before}");
            writer.WriteLine($"  after   {pair.After}");
        }
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TokensPerSecond:F0} tokens/s"));
    }

    /// <summary>Returns the values for <c>summary.json</c>.</summary>
    public IReadOnlyDictionary<string, object> Summary() =>
        new Dictionary<string, object>
        {
            ["title"] = Experiment.Title,
            ["accuracy_before"] = BeforeShare.Value,
            ["accuracy_before_interval"] = BeforeShare.Interval(),
            ["accuracy_after"] = AfterShare.Value,
            ["accuracy_after_interval"] = AfterShare.Interval(),
            ["held_out"] = Before.Count,
            ["tokens_per_second"] = Math.Round(TokensPerSecond, 1),
        };

    /// <summary>Returns the report of the run.</summary>
    public HtmlReport Page(SampleRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var report = new HtmlReport(Experiment.Title, Experiment.Story)
            .Facts(
                EngineFacts.Describe(),
                $"seed {Options.Seed}",
                $"{Options.Steps} steps of {Options.BatchSize} × {Options.GroupSize} completions"
            )
            .Tiles([
                new SummaryTile($"{Title} before", Format.Percent(BeforeShare.Value), BeforeShare.Interval().ToString()),
                new SummaryTile($"{Title} after", Format.Percent(AfterShare.Value), AfterShare.Interval().ToString()),
                .. RunReport.Tiles(Reports),
            ])
            .Proportions(
                $"Held out: {Experiment.Measure}",
                new NamedProportion("before", BeforeShare),
                new NamedProportion("after", AfterShare)
            )
            .Completions("Held-out prompts before and after training", [.. Pairs()])
            .Run(Reports, completions: run.LoggedCompletions);
        return report.Settings(
            "Settings",
            new Dictionary<string, string>
            {
                ["learning rate"] =
                    Options.LearningRate.ToString("G", CultureInfo.InvariantCulture)
                    + ", "
                    + Options.Schedule.ToString().ToLowerInvariant(),
                ["objective"] = Options.Objective.Name,
                ["advantage"] = Options.Objective.Advantage!.Name,
                ["aggregation"] = Options.Objective.Aggregation.ToString(),
                ["KL weight β"] = Options.Objective.Beta.ToString("G", CultureInfo.InvariantCulture),
                ["temperature"] = Options.Sampling.Temperature.ToString("G", CultureInfo.InvariantCulture),
                ["maximum new tokens"] = Options.Sampling.MaxNewTokens.ToString(CultureInfo.InvariantCulture),
            }
        );
    }

    private IEnumerable<CompletionPair> Pairs() =>
        Enumerable
            .Range(0, Math.Min(Examples, Before.Count))
            .Select(i => new CompletionPair(Before[i].Problem.Prompt, Before[i].Text, After[i].Text, Judge(Before[i]), Judge(After[i])));

    private Verdict Judge(Completion completion) =>
        Experiment.Succeeds(completion) ? new Verdict(true, "counts") : new Verdict(false, "does not count");

    private string Title => char.ToUpperInvariant(Experiment.Measure[0]) + Experiment.Measure[1..];

    private Proportion Share(IReadOnlyList<Completion> completions) => new(completions.Count(Experiment.Succeeds), completions.Count);
}
