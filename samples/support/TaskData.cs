using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Rewards;

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

    /// <summary>Whether an answer to a generated problem is correct.</summary>
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
