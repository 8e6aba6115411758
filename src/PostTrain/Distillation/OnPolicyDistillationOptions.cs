using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Training;

namespace PostTrain.Distillation;

/// <summary>Options of distillation on the student's own completions.</summary>
public sealed record OnPolicyDistillationOptions : RolloutOptions
{
    /// <summary>With one completion of each prompt.</summary>
    public OnPolicyDistillationOptions() => GroupSize = 1;

    /// <summary>Judges completions for the log and for evaluations.</summary>
    /// <value>The default is null: steps report no reward, evaluations one of 0.</value>
    public IReward? Reward { get; init; }

    /// <summary>Loss of each token.</summary>
    /// <value>The default is GKD with β = ½.</value>
    public OnPolicyObjective Objective { get; init; } = OnPolicyObjective.Gkd();

    /// <summary>λ, 0 to 1: the share of steps on the student's completions; the others are on the problems' answers (GKD, algorithm 1).
    /// Which step is which, the seed decides.</summary>
    /// <value>The default is 1. Below 1 every problem needs an answer, and the objective must compare distributions.</value>
    public double StudentShare { get; init; } = 1;

    /// <summary>Aggregation of the tokens' losses.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Objective);
        ArgumentNullException.ThrowIfNull(Aggregation);
        Guard.Fraction(StudentShare, nameof(StudentShare));
        if (StudentShare < 1 && Objective.OfSamples)
            throw new ArgumentOutOfRangeException(
                nameof(StudentShare),
                StudentShare,
                "StudentShare must be 1: this objective holds for the student's own completions only"
            );
        if (UpdatesPerBatch > 1 && !Objective.Repeatable)
            throw new ArgumentOutOfRangeException(
                nameof(UpdatesPerBatch),
                UpdatesPerBatch,
                "UpdatesPerBatch must be 1: this objective has no correction for completions of an earlier student"
            );
    }
}
