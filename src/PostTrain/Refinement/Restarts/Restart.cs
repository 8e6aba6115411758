using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Refinement.Restarts;

/// <summary>A problem that starts from an earlier text: a revision of it, or its continuation from a step.</summary>
/// <param name="Problem">The problem for the policy; its prompt includes the earlier text.</param>
/// <param name="Original">The original problem.</param>
/// <param name="Opening">The part of the prompt that belongs to the answer: the prefix with its marker; empty for a revision, which starts
/// anew.</param>
/// <param name="EarlierReward">r(y_0), the earlier text's reward.</param>
public sealed record Restart(Problem Problem, Problem Original, string Opening, double EarlierReward)
{
    /// <summary>Returns the whole answer to the original problem.</summary>
    /// <param name="completion">A completion of <see cref="Problem"/>. Its tokens are unchanged: the new part only.</param>
    public Completion Whole(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        return completion with { Problem = Original, Text = Opening + completion.Text };
    }
}
