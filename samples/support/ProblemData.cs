using PostTrain.Data;
using PostTrain.Data.Records;

namespace PostTrain.Samples.Support;

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
