using PostTrain.Models;
using PostTrain.Preference.Losses;
using PostTrain.Training;

namespace PostTrain.Preference.Online;

/// <summary>Options of <see cref="OnlineDpoTrainer"/>.</summary>
public sealed record OnlineDpoOptions : RolloutOptions
{
    /// <summary>With two completions of each prompt.</summary>
    public OnlineDpoOptions() => GroupSize = 2;

    /// <summary>Frozen model, or the policy without its adapter, that the implicit rewards are measured against. Required.</summary>
    public ReferencePolicy? Reference { get; init; }

    /// <summary>β, the loss of the scores and the divergence; Nash-MD takes its β only.</summary>
    /// <value>The default is DPO with β = 0.1.</value>
    public DpoObjective Objective { get; init; } = new();

    /// <summary>Opponent of the policy's completions.</summary>
    /// <value>The default is <see cref="OnlineMethod.Dpo"/>. The others take two completions of a prompt: the policy's and the
    /// opponent's.</value>
    public OnlineMethod Method { get; init; } = OnlineMethod.Dpo;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        if (Reference is null)
            throw new ArgumentException(
                "Reference is null, expected a reference model: implicit rewards are measured against it",
                nameof(Reference)
            );
        ArgumentNullException.ThrowIfNull(Objective);
        ArgumentNullException.ThrowIfNull(Method);
        Objective.Validate();
        Objective.CheckParts(MicroBatchSize ?? RankCut, CutBy ?? nameof(MicroBatchSize));
        if (GroupSize < 2)
            throw new ArgumentOutOfRangeException(nameof(GroupSize), GroupSize, "GroupSize must be at least 2: completions are compared");
        if (!Method.IsSelfPlay && GroupSize != 2)
            throw new ArgumentOutOfRangeException(
                nameof(GroupSize),
                GroupSize,
                "GroupSize must be 2: a completion of the policy is compared with one of its opponent"
            );
        if (!Method.IsSelfPlay && Environment is not null)
            throw new ArgumentException(
                "Environment is given, and the method draws completions of an opponent, which knows no environment; expected null, or a "
                    + "method that compares the policy's own completions",
                nameof(Environment)
            );
        if (Method is OnlineMethod.NashMdMethod && UpdatesPerBatch > 1)
            throw new ArgumentOutOfRangeException(
                nameof(UpdatesPerBatch),
                UpdatesPerBatch,
                "UpdatesPerBatch must be 1: Nash-MD has no correction for completions of an earlier policy"
            );
    }
}
