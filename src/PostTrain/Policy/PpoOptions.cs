using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Rewards.Steps;
using PostTrain.Training;

namespace PostTrain.Policy;

/// <summary>Options of proximal policy optimisation with a critic (Schulman et al. 2017, arXiv:1707.06347; for language: InstructGPT,
/// arXiv:2203.02155).</summary>
/// <remarks><see cref="RolloutOptions.UpdatesPerBatch"/> is 4 by default and counts minibatches: epochs on a batch of completions times
/// <see cref="Minibatches"/>.</remarks>
public sealed record PpoOptions : RolloutOptions
{
    /// <summary>PPO's defaults: one completion a prompt, four epochs on a batch.</summary>
    public PpoOptions() => (GroupSize, UpdatesPerBatch) = (1, 4);

    /// <summary>Critic that is trained beside the policy: <see cref="ValueHead.For"/> on the policy's own body, or
    /// <see cref="ValueHead.WithOwnBody"/>. <see cref="TrainingOptions.LearningRateFactor"/> and checkpoints know its parameters as
    /// <c>critic.…</c>, the policy's as <c>policy.…</c>.</summary>
    /// <value>The default is null: the trainer makes a head on the policy's body whose values begin at 0, see
    /// <see cref="PpoTrainer.Critic"/>.</value>
    public ValueHead? Critic { get; init; }

    /// <summary>Reference model of the KL terms and metrics; required if a KL coefficient is above 0.</summary>
    /// <value>The default is null: no reference.</value>
    public ReferencePolicy? Reference { get; init; }

    /// <summary>Rewards single tokens, such as the ends of steps, besides the reward of the whole completion.</summary>
    /// <value>The default is null.</value>
    public ITokenReward? TokenReward { get; init; }

    /// <summary>Surrogate, ratio, aggregation, a KL term in the loss and the entropy bonus. Its advantage method is not used: the critic
    /// gives the advantages.</summary>
    /// <value>The default is <see cref="PolicyObjectives.Ppo"/>: token ratio, clip 0.2, token mean.</value>
    public PolicyObjective Objective { get; init; } = PolicyObjectives.Ppo();

    /// <summary>Weights and rejections for the difference between the log-probs of drawing and those of training; they act on the policy's
    /// loss, not on the critic's.</summary>
    /// <value>The default is null.</value>
    public ImportanceCorrection? Correction { get; init; }

    /// <summary>β of the KL penalty in the reward, −β·kl_t at each token, and how it follows the divergence, which is measured in nats a
    /// completion.</summary>
    /// <value>The default is 0.05, fixed.</value>
    public KlControl Kl { get; init; } = KlControl.Fixed(0.05);

    /// <summary>Estimator of that divergence. With k1 the expected gradient of the penalty is that of −β·KL(π‖π_ref).</summary>
    /// <value>The default is <see cref="KlEstimator.K1"/>.</value>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K1;

    /// <summary>γ, 0 to 1.</summary>
    /// <value>The default is 1: later tokens are not discounted.</value>
    public double Gamma { get; init; } = 1;

    /// <summary>λ of generalised advantage estimation, 0 to 1; 1 takes the critic as a baseline only.</summary>
    /// <value>The default is 0.95.</value>
    public double Lambda { get; init; } = 0.95;

    /// <summary>Scale the batch's advantages to mean 0 and variance 1.</summary>
    /// <value>The default is true. Near an optimum all advantages vanish and scaling amplifies their noise; with false the run
    /// converges.</value>
    public bool WhitenAdvantages { get; init; } = true;

    /// <summary>Scale the token rewards to variance 1, their mean kept.</summary>
    /// <value>The default is false.</value>
    public bool WhitenRewards { get; init; }

    /// <summary>Penalty of a completion that ended at the length limit and not at a stop token, at least 0.</summary>
    /// <value>The default is 0.</value>
    public double UnfinishedPenalty { get; init; }

    /// <summary>Take the critic's value of the state behind the last token as the rest of a completion that the length limit cut off,
    /// instead of 0.</summary>
    /// <value>The default is false: the limit is part of the task.</value>
    public bool BootstrapUnfinished { get; init; }

    /// <summary>Clip range of the value loss around the value at sampling time, at least 0; null does not clip.</summary>
    /// <value>The default is 0.2.</value>
    public double? ValueClip { get; init; } = 0.2;

    /// <summary>The weight of the value loss beside the policy's, at least 0.</summary>
    /// <value>The default is 0.1.</value>
    public double ValueCoefficient { get; init; } = 0.1;

    /// <summary>Steps at the beginning in which only the critic learns; on a shared body only its head.</summary>
    /// <value>The default is 0.</value>
    public int CriticWarmupSteps { get; init; }

    /// <summary>Minibatches of an epoch over the batch, each an optimiser step; divides
    /// <see cref="RolloutOptions.UpdatesPerBatch"/>. From 2 on the completions are shuffled in every epoch.</summary>
    /// <value>The default is 1.</value>
    public int Minibatches { get; init; } = 1;

    /// <summary>The updates on a batch end when the divergence from the policy that drew it is above 1.5 times this in a minibatch, in nats
    /// a token, above 0; null never ends them.</summary>
    /// <value>The default is null.</value>
    public double? TargetKl { get; init; }

    /// <summary>Demonstrations whose log-likelihood is mixed in (PPO-ptx); null for none.</summary>
    /// <value>The default is null.</value>
    public PtxOptions? Ptx { get; init; }

    internal override bool KeepsSampler => Asynchronous is not null && Correction is null;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Objective);
        Objective.CheckParts(CutBy);
        ArgumentNullException.ThrowIfNull(Kl);
        if (!Enum.IsDefined(KlEstimator))
            throw new ArgumentOutOfRangeException(nameof(KlEstimator), KlEstimator, "KlEstimator must be one of the enumeration's");
        Guard.Fraction(Gamma, nameof(Gamma));
        Guard.Fraction(Lambda, nameof(Lambda));
        Guard.NotNegative(UnfinishedPenalty, nameof(UnfinishedPenalty));
        if (ValueClip is { } clip)
            Guard.NotNegative(clip, nameof(ValueClip));
        Guard.NotNegative(ValueCoefficient, nameof(ValueCoefficient));
        Guard.AtLeast(CriticWarmupSteps, 0, nameof(CriticWarmupSteps));
        Guard.AtLeast(Minibatches, 1, nameof(Minibatches));
        if (UpdatesPerBatch % Minibatches != 0)
            throw new ArgumentOutOfRangeException(
                nameof(UpdatesPerBatch),
                UpdatesPerBatch,
                $"UpdatesPerBatch must be a multiple of Minibatches, {Minibatches}: whole epochs"
            );
        if (WhitenAdvantages && BatchSize == 1 && GroupSize == 1 && Sampling.MaxNewTokens == 1)
            throw new ArgumentException(
                "WhitenAdvantages is true, and BatchSize, GroupSize and Sampling.MaxNewTokens are 1: the advantage of a single token would "
                    + "be 0; expected at least two tokens, or no whitening",
                nameof(WhitenAdvantages)
            );
        if (TargetKl is { } target)
            Guard.Positive(target, nameof(TargetKl));
        if (Reference is null && Math.Max(Kl.Coefficient, Objective.Beta) is > 0 and var coefficient)
            throw new ArgumentException(
                $"a KL coefficient is {coefficient}, but Reference is null; expected a reference model, or Kl = KlControl.Fixed(0)",
                nameof(Reference)
            );
        Correction?.Validate();
        Ptx?.Validate();
    }
}
