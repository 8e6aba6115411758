using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>Training and held-out demonstrations.</summary>
/// <param name="Train">Training examples.</param>
/// <param name="HeldOut">Held-out examples.</param>
/// <param name="Problems">The held-out prompts; generated ones have the correct answer.</param>
/// <param name="Longest">Tokens of the longest example.</param>
public sealed record TaskData(
    IReadOnlyList<Demonstration> Train,
    IReadOnlyList<Demonstration> HeldOut,
    IReadOnlyList<Problem> Problems,
    int Longest
)
{
    private const int ToyExamples = 4000;

    /// <summary>True if an answer to a generated problem is correct.</summary>
    public Func<Completion, bool> IsRight { get; init; } = ArithmeticTask.IsRight;

    /// <summary>Loads the user's records, or generates sums with their computation; both are also written to the output folder.</summary>
    /// <param name="run">The run.</param>
    /// <param name="subject">The model to train.</param>
    /// <param name="template">Name of the instruction template; see <see cref="UserData.Template"/>.</param>
    /// <param name="reserve">Positions of the context reserved for a soft prompt.</param>
    public static TaskData Load(SampleRun run, Subject subject, string template, int reserve = 0)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(subject);
        return run.Data is null
            ? Toy(run, subject)
            : Of(run, subject, RecordReader.Demonstrations(run.Data, UserData.Template(template, subject.Folder)), reserve);
    }

    /// <summary>Splits the demonstrations that fit into the model's context.</summary>
    public static TaskData Of(SampleRun run, Subject subject, IReadOnlyList<Demonstration> all, int reserve = 0)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(subject);
        var fitting = UserData.Fitting(
            all,
            subject.Tokenizer,
            subject.Model.ContextLength - reserve,
            item => [item.Prompt + item.Completion]
        );
        var (train, heldOut) = fitting.Split(run.HeldOut);
        Console.WriteLine($"{train.Count} training examples, {heldOut.Count} held out");
        return new TaskData(train, heldOut, [.. heldOut.Select(item => new Problem(item.Prompt))], fitting.Longest + reserve);
    }

    private static TaskData Toy(SampleRun run, Subject subject)
    {
        var problems = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
        var data = new TaskData(
            ArithmeticTask.Solutions(ArithmeticTask.Problems(ToyExamples, heldOut: false, run.Seed)),
            ArithmeticTask.Solutions(problems),
            problems,
            subject.Model.ContextLength
        );
        JsonLines.Write(run.PathOf("data.jsonl"), data.Train);
        return data;
    }
}

/// <summary>Training and held-out problems, each with the answer for a verifier.</summary>
/// <param name="Train">Training problems.</param>
/// <param name="HeldOut">Held-out problems.</param>
/// <param name="Longest">Tokens of the longest prompt and completion.</param>
public sealed record ProblemData(IReadOnlyList<Problem> Train, IReadOnlyList<Problem> HeldOut, int Longest)
{
    private const int ToyProblems = 4000;

    /// <summary>Loads the user's problems, or generates sums.</summary>
    /// <param name="run">The run.</param>
    /// <param name="subject">The model to train.</param>
    /// <param name="template">Name of the instruction template; see <see cref="UserData.Template"/>.</param>
    /// <param name="tokens">Maximum completion length in tokens.</param>
    public static ProblemData Load(SampleRun run, Subject subject, string template, int tokens)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(subject);
        var data = run.Data is null ? Toy(run, subject) : User(run, subject, template, tokens);
        Console.WriteLine($"{data.Train.Count} training problems, {data.HeldOut.Count} held out");
        return data;
    }

    private static ProblemData Toy(SampleRun run, Subject subject) =>
        new(
            ArithmeticTask.Problems(ToyProblems, heldOut: false, run.Seed),
            ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed),
            subject.Model.ContextLength
        );

    private static ProblemData User(SampleRun run, Subject subject, string template, int tokens)
    {
        var problems = RecordReader.Problems(run.Data!, UserData.Template(template, subject.Folder));
        var fitting = UserData.Fitting(problems, subject.Tokenizer, subject.Model.ContextLength - tokens, problem => [problem.Prompt]);
        var (train, heldOut) = fitting.Split(run.HeldOut);
        return new ProblemData(train, heldOut, fitting.Longest + tokens);
    }
}

/// <summary>Training and held-out preferences: pairs, or completions that were each judged alone.</summary>
/// <param name="Train">Training pairs.</param>
/// <param name="HeldOut">Held-out pairs.</param>
/// <param name="Problems">The held-out prompts; generated ones have the correct answer.</param>
/// <param name="Longest">Tokens of the longest prompt and completion.</param>
public sealed record PreferenceData(
    IReadOnlyList<PreferencePair> Train,
    IReadOnlyList<PreferencePair> HeldOut,
    IReadOnlyList<Problem> Problems,
    int Longest
)
{
    private const int ToyPairs = 4000;

    /// <summary>Training completions that were judged alone; null if pairs are learnt.</summary>
    public IReadOnlyList<JudgedCompletion>? Judged { get; private init; }

    /// <summary>Held-out completions that were judged alone.</summary>
    public IReadOnlyList<JudgedCompletion> JudgedHeldOut { get; private init; } = [];

    /// <summary>Number of held-out examples.</summary>
    public int HeldOutCount => Judged is null ? HeldOut.Count : JudgedHeldOut.Count;

    /// <summary>Loads the user's records, or generates sums with a right and a wrong answer, which are also written to the output
    /// folder.</summary>
    /// <param name="run">The run.</param>
    /// <param name="subject">The model to train.</param>
    /// <param name="template">Name of the instruction template; see <see cref="UserData.Template"/>.</param>
    /// <param name="judged">True for completions that were judged alone.</param>
    public static PreferenceData Load(SampleRun run, Subject subject, string template, bool judged)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(subject);
        return run.Data is null ? Toy(run, subject, judged)
            : judged ? UserJudged(run, subject, template)
            : UserPairs(run, subject, template);
    }

    /// <summary>The counts of examples.</summary>
    public override string ToString() =>
        Judged is null
            ? $"{Train.Count} pairs; {HeldOutCount} are held out"
            : $"{Judged.Count} judged completions; {HeldOutCount} are held out";

    private static PreferenceData Toy(SampleRun run, Subject subject, bool judged)
    {
        var problems = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
        var train = ArithmeticTask.Pairs(ArithmeticTask.Problems(ToyPairs, heldOut: false, run.Seed), run.Seed);
        var heldOut = ArithmeticTask.Pairs(problems, run.Seed + 1);
        JsonLines.Write(run.PathOf("data.jsonl"), train);
        return judged
            ? new PreferenceData([], [], problems, subject.Model.ContextLength)
            {
                Judged = Verdicts(train),
                JudgedHeldOut = Verdicts(heldOut),
            }
            : new PreferenceData(train, heldOut, problems, subject.Model.ContextLength);
    }

    private static PreferenceData UserPairs(SampleRun run, Subject subject, string template)
    {
        var fitting = UserData.Fitting(
            RecordReader.Pairs(run.Data!, UserData.Template(template, subject.Folder)),
            subject.Tokenizer,
            subject.Model.ContextLength,
            pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]
        );
        var (train, heldOut) = fitting.Split(run.HeldOut);
        return new PreferenceData(train, heldOut, Prompts(heldOut.Select(pair => pair.Prompt)), fitting.Longest);
    }

    private static PreferenceData UserJudged(SampleRun run, Subject subject, string template)
    {
        var fitting = UserData.Fitting(
            RecordReader.Judged(run.Data!, UserData.Template(template, subject.Folder)),
            subject.Tokenizer,
            subject.Model.ContextLength,
            item => [item.Prompt + item.Completion]
        );
        var (train, heldOut) = fitting.Split(run.HeldOut);
        return new PreferenceData([], [], Prompts(heldOut.Select(item => item.Prompt)), fitting.Longest)
        {
            Judged = train,
            JudgedHeldOut = heldOut,
        };
    }

    private static Problem[] Prompts(IEnumerable<MarkedText> prompts) => [.. prompts.Distinct().Select(prompt => new Problem(prompt))];

    private static JudgedCompletion[] Verdicts(IReadOnlyList<PreferencePair> pairs) =>
        [.. pairs.SelectMany(pair => (JudgedCompletion[])[new(pair.Prompt, pair.Chosen, true), new(pair.Prompt, pair.Rejected, false)])];
}
