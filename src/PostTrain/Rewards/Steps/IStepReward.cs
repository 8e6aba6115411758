namespace PostTrain.Rewards.Steps;

/// <summary>Scores each step of completions: a process reward model, a checker of rules, values from rollouts.</summary>
public interface IStepReward
{
    /// <summary>The name in the log.</summary>
    string Name { get; }

    /// <summary>One score for each step of each completion, NaN where it is not applicable.</summary>
    /// <param name="completions">What to score.</param>
    /// <param name="context">How far the training is.</param>
    /// <param name="cancellation">Ends the scoring.</param>
    ValueTask<IReadOnlyList<double[]>> ScoreStepsAsync(
        IReadOnlyList<SteppedCompletion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    );
}
