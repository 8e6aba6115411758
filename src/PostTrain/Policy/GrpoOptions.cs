using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Training;

namespace PostTrain.Policy;

/// <summary>Options of <see cref="GrpoTrainer"/>: an objective, and what a method may add around it. Everything but the objective is off by
/// default.</summary>
public sealed record GrpoOptions : RolloutOptions
{
    /// <summary>The method: how rewards become advantages, what is made of the ratio, how tokens are averaged, the weights β and c. See
    /// <see cref="PolicyObjectives"/>.</summary>
    /// <value>The default is <see cref="PolicyObjectives.Grpo"/>.</value>
    public PolicyObjective Objective { get; init; } = PolicyObjectives.Grpo();

    /// <summary>Reference model of the KL terms and metrics.</summary>
    /// <value>The default is null: no reference.</value>
    public ReferencePolicy? Reference { get; init; }

    /// <summary>A KL penalty in the reward, or one in the loss whose weight adapts; with a fixed weight in the loss use
    /// <see cref="PolicyObjective.Beta"/>.</summary>
    /// <value>The default is null.</value>
    public KlPenalty? Kl { get; init; }

    /// <summary>The weight of an entropy bonus, where it is to adapt; a fixed one may also be given as
    /// <see cref="PolicyObjective.EntropyCoefficient"/>.</summary>
    /// <value>The default is null.</value>
    public EntropyControl? Entropy { get; init; }

    /// <summary>A penalty for completions close to the maximum length.</summary>
    /// <value>The default is null.</value>
    public OverlongPenalty? Overlong { get; init; }

    /// <summary>Selection of the tokens that the loss counts.</summary>
    /// <value>The default is all that were generated.</value>
    public TokenSelection Tokens { get; init; } = new();

    /// <summary>Draw until enough groups have unequal rewards (DAPO).</summary>
    /// <value>The default is null: each problem is drawn once.</value>
    public DynamicSampling? DynamicSampling { get; init; }

    /// <summary>Groups of earlier steps in place of groups without signal.</summary>
    /// <value>The default is null.</value>
    public ReplayOptions? Replay { get; init; }

    /// <summary>Weights and rejections for the difference between the log-probs of drawing and those of training.</summary>
    /// <value>The default is null.</value>
    public ImportanceCorrection? Correction { get; init; }

    /// <summary>No further update on a batch once KL(π_old‖π), in nats a token and measured while an update is made, is above 1.5 times
    /// this; see <see cref="KlControl.ShouldStop"/>.</summary>
    /// <value>The default is null: <see cref="RolloutOptions.UpdatesPerBatch"/> updates in any case.</value>
    public double? TargetKl { get; init; }

    /// <summary>True if the only update uses the policy that drew: its own forward pass gives the old log-probs.</summary>
    internal bool UsesBatchOnce => UpdatesPerBatch == 1 && Replay is null && !KeepsSampler;

    internal override bool KeepsSampler => Asynchronous is not null && Correction is null;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Objective);
        ArgumentNullException.ThrowIfNull(Tokens);
        Guard.NotNegative(Objective.Beta, nameof(Objective.Beta));
        Guard.NotNegative(Objective.EntropyCoefficient, nameof(Objective.EntropyCoefficient));
        Entropy?.Validate();
        var advantage =
            Objective.Advantage
            ?? throw new ArgumentException(
                $"the objective {Objective.Name} has no Advantage, which a critic would have to give; expected one with an "
                    + $"{nameof(AdvantageMethod)}",
                nameof(Objective)
            );
        Guard.AtLeast(GroupSize, advantage.LeastGroup, nameof(GroupSize));
        Refuse(
            (long)BatchSize * GroupSize < advantage.LeastBatch,
            nameof(BatchSize),
            $"'{advantage.Name}' standardises over the batch, and BatchSize {BatchSize} times GroupSize {GroupSize} is a single "
                + "completion, "
                + $"whose advantages would be 0; expected at least {advantage.LeastBatch} completions"
        );
        Refuse(
            Asynchronous is not null && DynamicSampling is not null,
            nameof(DynamicSampling),
            "Asynchronous and DynamicSampling are given; expected one of the two: rollouts ahead are drawn once a step"
        );
        Overlong?.Validate(Sampling.MaxNewTokens);
        Tokens.Validate();
        DynamicSampling?.Validate();
        Correction?.Validate();
        Replay?.Validate();
        if (TargetKl is { } target)
            Guard.Positive(target, nameof(TargetKl));
        // Several draws and groups of earlier steps have shapes of their own, so they go through the model apart.
        Objective.CheckParts(
            CutBy is { } cut ? cut
            : DynamicSampling is not null ? nameof(DynamicSampling)
            : Replay is not null ? nameof(Replay)
            : null
        );
        Refuse(
            Reference is null && (Objective.Beta > 0 || Kl is not null),
            nameof(Reference),
            $"{(Kl is null ? $"Objective.Beta is {Objective.Beta}" : "Kl is given")}, but Reference is null; expected a reference "
                + "model: the KL term is measured against it"
        );
        Refuse(
            Kl is { InReward: false } && Objective.Beta > 0,
            nameof(Kl),
            $"Kl is a penalty in the loss and Objective.Beta is {Objective.Beta}; expected one of the two"
        );
        Refuse(
            Entropy is not null && Objective.EntropyCoefficient > 0,
            nameof(Entropy),
            $"Entropy is given and Objective.EntropyCoefficient is {Objective.EntropyCoefficient}; expected one of the two"
        );
        Refuse(
            Kl is { InReward: true } && advantage.UsesComponents,
            nameof(Kl),
            "Kl is a penalty in the reward, and the objective's advantage is made of the reward's components; expected a penalty "
                + "in the loss"
        );
        Refuse(
            Tokens.OffPolicyThreshold is not null && advantage.IsPerToken,
            nameof(Tokens),
            $"Tokens.OffPolicyThreshold needs one advantage a completion, and '{advantage.Name}' gives one a token"
        );
        Refuse(
            (DynamicSampling ?? (object?)Replay) is not null && GroupSize < 2,
            nameof(GroupSize),
            "GroupSize is 1; dynamic sampling and replay compare the rewards of a group, expected at least 2"
        );
    }

    private static void Refuse(bool wrong, string name, string message)
    {
        if (wrong)
            throw new ArgumentException(message, name);
    }
}
