using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Training;

/// <summary>A problem with its prompt as token ids.</summary>
internal readonly record struct Question(Problem Problem, int[] Prompt)
{
    /// <summary>All problems; an error names the problem as NAME[index].</summary>
    internal static Question[] Of(IReadOnlyList<Problem> problems, string name, CausalLm policy, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(problems, name);
        if (problems.Count == 0)
            throw new ArgumentException($"{name} is empty, expected at least one problem", name);
        return [.. problems.Select((problem, index) => Tokenize(problem, $"{name}[{index}]", name, policy, tokenizer))];
    }

    /// <summary>One completion of each, outside of a training: without dropout, which is switched back to what it was.</summary>
    internal static Completion[] Draw(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<Question> asked,
        SamplingOptions sampling,
        ulong seed,
        CancellationToken cancellation
    )
    {
        bool training = policy.training;
        policy.eval();
        try
        {
            using var rollouts = Sampler.Generate(
                policy,
                [.. asked.Select(question => question.Prompt)],
                sampling.StoppingAt(policy, tokenizer) with
                {
                    Recording = LogProbRecording.Drawn,
                },
                seed,
                tokenizer,
                cancellation
            );
            return
            [
                .. asked.Select(
                    (question, i) =>
                        new Completion(
                            question.Problem,
                            tokenizer.Decode(rollouts.Completions[i]),
                            rollouts.Completions[i],
                            rollouts.Finished[i]
                        )
                ),
            ];
        }
        finally
        {
            policy.train(training);
        }
    }

    private static Question Tokenize(Problem problem, string what, string name, CausalLm policy, ITokenizer tokenizer)
    {
        var prompt = tokenizer.Encode(problem.Prompt);
        if (prompt.Length == 0 || prompt.Length >= policy.ContextLength)
            throw new ArgumentException(
                $"{what} has a prompt of {prompt.Length} tokens, expected 1 to {policy.ContextLength - 1}, one less than the model's context",
                name
            );
        return new Question(problem, prompt);
    }
}

/// <summary>Where a step takes its problems from: the next ones of a shuffled stream, or a batch that the caller chose.</summary>
internal sealed class QuestionSource
{
    private readonly Question[] questions;
    private readonly ShuffledOrder? order;
    private readonly long start;

    /// <summary>The stream from a position on.</summary>
    internal QuestionSource(Question[] questions, ShuffledOrder order, long position) =>
        (this.questions, this.order, start) = (questions, order, position);

    /// <summary>These and no others.</summary>
    internal QuestionSource(Question[] questions) => this.questions = questions;

    /// <summary>Whether there are always more problems.</summary>
    internal bool IsStream => order is not null;

    /// <summary>Problems taken.</summary>
    internal int Taken { get; private set; }

    /// <summary>The next problems: as many as asked for, fewer where the caller's batch ends.</summary>
    internal Question[] Take(int count)
    {
        if (order is null)
            count = Math.Min(count, questions.Length - Taken);
        var next = Enumerable.Range(Taken, count).Select(i => questions[order is null ? i : order[start + i]]).ToArray();
        Taken += count;
        return next;
    }
}
