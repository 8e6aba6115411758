using PostTrain.Policy;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>Steps and learning rates of the kinds of refinement training. All take as many updates of as many completions after the
/// warm-up.</summary>
public sealed record RefinementSettings
{
    /// <summary>Steps of the supervised warm-up.</summary>
    public required int WarmupSteps { get; init; }

    /// <summary>Steps of PPO.</summary>
    public required int Steps { get; init; }

    /// <summary>Questions in a step of PPO.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Completions of a question in a step.</summary>
    public required int GroupSize { get; init; }

    /// <summary>Of the warm-up, of supervised fine-tuning after it and of self-training.</summary>
    public required double SupervisedRate { get; init; }

    /// <summary>PPO's.</summary>
    public required double Rate { get; init; }

    /// <summary>β of the divergence from the warm-up.</summary>
    public required double Kl { get; init; }

    /// <summary>Completions of a question that self-training chooses from.</summary>
    public required int Samples { get; init; }

    /// <summary>Most tokens of a completion.</summary>
    public required int Tokens { get; init; }

    internal SftOptions Warmup =>
        new()
        {
            Steps = WarmupSteps,
            BatchSize = BatchSize,
            LearningRate = SupervisedRate,
        };

    internal SftOptions Continued =>
        new()
        {
            Steps = Steps * Reinforcement.UpdatesPerBatch,
            BatchSize = BatchSize * GroupSize,
            LearningRate = SupervisedRate,
            Schedule = LearningRateSchedule.Linear,
        };

    internal PpoOptions Reinforcement =>
        ReftOptions.Paper with
        {
            Steps = Steps,
            BatchSize = BatchSize,
            GroupSize = GroupSize,
            LearningRate = Rate,
            Schedule = LearningRateSchedule.Linear,
            Kl = KlControl.Fixed(Kl),
            // The values begin as 0, and on a shared body their first errors would move the policy.
            CriticWarmupSteps = Math.Min(8, Steps / 5),
            Sampling = Sampling,
        };

    internal SelfTrainingOptions SelfTraining => new() { SamplesPerProblem = Samples, Sampling = Sampling };

    private SamplingOptions Sampling => new() { MaxNewTokens = Tokens };
}
