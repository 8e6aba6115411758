namespace PostTrain.Rewards.Steps;

/// <summary>Scores each step of completions: a process reward model, a checker of rules, values from rollouts.</summary>
public interface IStepReward
{
    /// <summary>The name in the log.</summary>
    string Name { get; }

    /// <summary>Returns one score per step of each completion, NaN if not applicable.</summary>
    /// <param name="completions">The completions to score.</param>
    /// <param name="context">The training progress.</param>
    /// <param name="cancellation">Cancels the scoring.</param>
    ValueTask<IReadOnlyList<double[]>> ScoreStepsAsync(
        IReadOnlyList<SteppedCompletion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    );
}
