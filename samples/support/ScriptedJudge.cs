using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using PostTrain.Data;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rewards.Steps;

namespace PostTrain.Samples.Support;

/// <summary>A stand-in for a language model that judges pairs, with two known faults of such judges: a preference for the first position,
/// and errors. Replace it by a real client.</summary>
/// <remarks>Asking in both orders cancels the first fault; it cancels neither errors nor a preference for the wrong quality.</remarks>
public sealed partial class ScriptedJudge : IChatClient
{
    private readonly Func<string, string, double> liking;
    private readonly double likingForFirst,
        errors;

    private ScriptedJudge(Func<string, string, double> liking, double likingForFirst, double errors = 0) =>
        (this.liking, this.likingForFirst, this.errors) = (liking, likingForFirst, errors);

    /// <summary>Creates a judge that prefers shown work and checks nothing.</summary>
    public static ScriptedJudge OfStyle() =>
        new((_, answer) => Math.Min(answer.Trim().Length, 200) + 10 * answer.Count(character => character == '='), likingForFirst: 2);

    /// <summary>Creates a judge that checks the sums of the samples, and prefers the wrong one of two different answers in a share of the
    /// pairs.</summary>
    /// <param name="errors">The share, 0 to 1; the affected pairs depend on their texts only.</param>
    public static ScriptedJudge OfSums(double errors) =>
        new(
            (question, answer) =>
                ArithmeticTask.IsRight(new Completion(ArithmeticTask.Problem(question.Trim()), answer.Trim(), [], true)) ? 1 : 0,
            0.5,
            errors
        );

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(messages);
        string text = string.Concat(messages.Select(message => message.Text));
        string question = Question().Match(text).Groups["text"].Value;
        // A question quotes the answers' closing tags.
        string[] answers =
        [
            .. Answers().Matches(text).Select(match => match.Groups["text"].Value.Replace("< /", "</", StringComparison.Ordinal)),
        ];
        double difference = liking(question, answers[0]) - liking(question, answers[1]);
        if (Errs(question, answers))
            difference = -difference;
        difference += likingForFirst;
        return Task.FromResult(
            new ChatResponse(
                new ChatMessage(
                    ChatRole.Assistant,
                    difference > 0 ? "[[A]]"
                        : difference < 0 ? "[[B]]"
                        : "[[C]]"
                )
            )
        );
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        var response = await GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false);
        foreach (var update in response.ToChatResponseUpdates())
            yield return update;
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null) => serviceType?.IsInstanceOfType(this) == true ? this : null;

    /// <inheritdoc/>
    public void Dispose() { }

    // The same in both orders of a pair.
    private bool Errs(string question, string[] answers)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', answers.Order(StringComparer.Ordinal).Prepend(question))));
        return BitConverter.ToUInt32(hash) < errors * uint.MaxValue;
    }

    [GeneratedRegex("<question>(?<text>.*?)</question>", RegexOptions.Singleline)]
    private static partial Regex Question();

    [GeneratedRegex("<answer_[AB]>(?<text>.*?)</answer_[AB]>", RegexOptions.Singleline)]
    private static partial Regex Answers();
}

/// <summary>One of the four schemes of rewards for reasoning, and where it fails.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="Rule">What it looks at.</param>
/// <param name="Failure">How it is fooled.</param>
/// <param name="Signal">The reward, 0 to 1.</param>
public sealed record RewardScheme(string Name, string Rule, string Failure, IReward Signal)
{
    /// <summary>All four: <c>binary</c>, <c>step</c>, <c>consistency</c>, <c>preference</c>.</summary>
    /// <param name="places">Where an answer stands: between tags for the toy, anywhere for other models.</param>
    /// <param name="separator">What parts the steps of a completion: <c>;</c> for the toy, a line end for other models.</param>
    public static IReadOnlyList<RewardScheme> All(AnswerPlaces places, string separator) =>
        [
            new(
                "binary",
                "the answer is right",
                "Sparse: a group that is all right or all wrong has no signal. It pays for a right answer to which the reasoning "
                    + "does not lead.",
                Reward.MathAnswer(new MathAnswerOptions { Name = "binary", Places = places })
            ),
            new(
                "step",
                "the share of steps whose arithmetic is right; 0 without any",
                "It pays for true but needless steps, whatever the answer is.",
                new Renamed("step", StepReward.Aggregated(StepReward.Arithmetic(), StepAggregation.Mean, separator).OrElse(0))
            ),
            new(
                "consistency",
                "the share of the group's other answers that agree",
                "It pays for a mistake that the whole group makes, and it needs no right answer to be at its best.",
                Reward.SelfConsistency(new SelfConsistencyOptions { Name = "consistency", Places = places })
            ),
            new(
                "preference",
                "how often a judge prefers it to the group's others, asked in both orders",
                "It pays for whatever the judge likes: this one likes work that is shown, and does not check it.",
                Judge.Pairwise(ScriptedJudge.OfStyle(), new JudgeOptions { Name = "preference" })
            ),
        ];

    /// <summary>The scheme of a name.</summary>
    public static RewardScheme Of(string name, AnswerPlaces places, string separator)
    {
        var all = All(places, separator);
        return all.FirstOrDefault(scheme => scheme.Name == name)
            ?? throw new ArgumentException($"--reward is '{name}', expected {string.Join(", ", all.Select(scheme => scheme.Name))}");
    }

    private sealed class Renamed(string name, IReward inner) : IReward
    {
        public string Name => name;

        public async ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        )
        {
            var scores = await inner.ScoreAsync(completions, context, cancellation).ConfigureAwait(false);
            return RewardScores.Of(name, scores.Values);
        }
    }
}
