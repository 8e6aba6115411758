namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>Agreement of a completion's answer with those of its group: a reward without a reference answer.</summary>
    /// <remarks>
    /// The policy gradient on the leave-one-out form is that of ½Σ_a p(a)²: the policy sharpens towards the answer that is most likely at
    /// the start, right or wrong. Combine it with a penalty on the divergence, or use it only where the most likely answer is mostly right.
    /// Answers are put into classes by <see cref="AnswerEquivalence"/>, each with the first class whose first answer it equals.
    /// </remarks>
    /// <param name="options">Form, places, weights; defaults when null.</param>
    public static IReward SelfConsistency(SelfConsistencyOptions? options = null)
    {
        options ??= new SelfConsistencyOptions();
        if (!Enum.IsDefined(options.Form))
            throw new ArgumentOutOfRangeException(nameof(options), options.Form, "expected LeaveOneOut, Majority or Entropy");
        return ListReward.OfGroups(options.Name, group => SelfConsistencyReward.Scores(group, options));
    }
}
