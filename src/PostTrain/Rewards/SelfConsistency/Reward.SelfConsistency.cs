namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>Scores the agreement of a completion's answer with those of its group, without a reference answer.</summary>
    /// <remarks>
    /// The policy gradient of the leave-one-out form is that of ½Σ_a p(a)²: the policy sharpens towards its initially most likely answer,
    /// right or wrong. Combine it with a KL penalty, or use it only if the most likely answer is mostly correct. Answers are grouped by
    /// <see cref="AnswerEquivalence"/>, each with the first class whose first answer it equals.
    /// </remarks>
    /// <param name="options">Form, places, weights; null for the defaults.</param>
    public static IReward SelfConsistency(SelfConsistencyOptions? options = null)
    {
        options ??= new SelfConsistencyOptions();
        if (!Enum.IsDefined(options.Form))
            throw new ArgumentOutOfRangeException(nameof(options), options.Form, "expected LeaveOneOut, Majority or Entropy");
        return ListReward.OfGroups(options.Name, group => SelfConsistencyReward.Scores(group, options));
    }
}
