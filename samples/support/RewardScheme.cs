using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rewards.Steps;

namespace PostTrain.Samples.Support;

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
