using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Refinement.Restarts;

/// <summary>A problem that begins where an earlier text stands: a revision of it, or its continuation from a step.</summary>
/// <param name="Problem">What the policy is asked: the earlier text is part of the prompt.</param>
/// <param name="Original">The problem itself.</param>
/// <param name="Opening">What of the prompt belongs to the answer: the prefix with its marker; empty for a revision, which begins
/// anew.</param>
/// <param name="EarlierReward">r(y_0), the earlier text's reward.</param>
public sealed record Restart(Problem Problem, Problem Original, string Opening, double EarlierReward)
{
    /// <summary>The whole answer to the original problem.</summary>
    /// <param name="completion">Of <see cref="Problem"/>. Its tokens stay: what is new.</param>
    public Completion Whole(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        return completion with { Problem = Original, Text = Opening + completion.Text };
    }
}
