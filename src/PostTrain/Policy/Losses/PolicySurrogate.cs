using PostTrain.Numerics;
using PostTrain.Policy.Losses.Surrogates;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>A function of ratio and advantage whose gradient improves the policy: the loss of one token before masks, KL term and
/// aggregation.</summary>
/// <remarks>
/// ρ is the ratio at the chosen <see cref="RatioLevel"/>, l = log π, sg[·] a constant. No gradient flows through old log-probs or
/// advantages. In every exponent log ρ is clamped to ±20, as in verl: losses and gradients are finite however far the policy has moved, and
/// beyond the bound ρ has no gradient. At ρ = 1 the gradient of each is −A∇l except for DRO's quadratic term, which is 0 there, and
/// KL-Cov's, whose slope at 0 is defined as 0.
/// </remarks>
public abstract record PolicySurrogate
{
    private protected PolicySurrogate() { }

    /// <summary>−A·l: REINFORCE, GPG (arXiv:2504.02546).</summary>
    public static PolicySurrogate PolicyGradient { get; } = new PolicyGradientSurrogate();

    /// <summary>−ρA, unbounded.</summary>
    public static PolicySurrogate Ratio { get; } = new RatioSurrogate();

    /// <summary>−min(ρA, clip(ρ, 1−ε₋, 1+ε₊)A): PPO (arXiv:1707.06347, eq. 7), GRPO, DAPO's asymmetric range.</summary>
    public static PolicySurrogate Clip(ClipRange clip)
    {
        clip.Check(nameof(clip));
        return new ClipSurrogate(clip, null);
    }

    /// <summary>The clipped surrogate with its loss bounded by −cA for A &lt; 0: min(max(−ρA, −clip(ρ)A), −cA).</summary>
    /// <remarks>Ye et al. 2020, arXiv:1912.09729, eq. 6. Above 1 + ε₊ the same as <see cref="TwoSided"/>.</remarks>
    /// <param name="clip">ε₋ and ε₊.</param>
    /// <param name="cap">c, above 1 + ε₊; 3 by default.</param>
    public static PolicySurrogate DualClip(ClipRange clip, double cap = 3)
    {
        clip.Check(nameof(clip));
        if (!(cap > 1 + clip.Upper))
            throw new ArgumentOutOfRangeException(nameof(cap), cap, $"cap must be above 1 + clip.Upper, {1 + clip.Upper}");
        return new ClipSurrogate(clip, cap);
    }

    /// <summary>−min(min(ρ, δ)A, clip(ρ)A): two-sided clipping (INTELLECT-2, arXiv:2505.07291, section 3.4). Only the unclipped term is
    /// capped.</summary>
    /// <param name="clip">ε₋ and ε₊.</param>
    /// <param name="delta">δ, above 1.</param>
    public static PolicySurrogate TwoSided(ClipRange clip, double delta)
    {
        clip.Check(nameof(clip));
        if (!(delta > 1))
            throw new ArgumentOutOfRangeException(nameof(delta), delta, "delta must be above 1");
        return new ClipSurrogate(clip, delta);
    }

    /// <summary>−sg[clamp(ρ, least, most)]·A·l: CISPO (MiniMax-M1, arXiv:2506.13585, eq. 4). Every token keeps a gradient.</summary>
    /// <param name="most">The maximum weight itself, not 1 + ε; above 0.</param>
    /// <param name="least">The minimum weight, 0 (no bound, as in the paper and TRL) by default.</param>
    public static PolicySurrogate Cispo(double most, double least = 0)
    {
        Guard.Positive(most, nameof(most));
        if (!(least >= 0 && least <= most))
            throw new ArgumentOutOfRangeException(nameof(least), least, $"least must be between 0 and most, {most}");
        return new CispoSurrogate(most, least);
    }

    /// <summary>−(4/τ)·σ(τ(ρ − 1))·A: a soft gate instead of the clip (SAPO, arXiv:2511.20347, eq. 5-6).</summary>
    /// <param name="positive">τ for A &gt; 0; 1 by default.</param>
    /// <param name="negative">τ otherwise; 1.05 by default: the gradient of bad tokens decays sooner.</param>
    public static PolicySurrogate Sapo(double positive = 1, double negative = 1.05)
    {
        Guard.Temperature(positive, nameof(positive));
        Guard.Temperature(negative, nameof(negative));
        return new SapoSurrogate(positive, negative);
    }

    /// <summary>−A·exp(mean_t b_t), b_t = min(log ρ_t, ε₊) where A &gt; 0 and max(log ρ_t, −ε₋) where A &lt; 0: the geometric mean of the
    /// ratios (GMPO, arXiv:2507.20673, eq. 4).</summary>
    /// <param name="clip">The range in logarithms, [−ε₋, ε₊]; 0.4 on both sides in the paper.</param>
    public static PolicySurrogate Gmpo(ClipRange clip)
    {
        clip.Check(nameof(clip));
        return new GmpoSurrogate(clip);
    }

    /// <summary>−sg[φ(W)]·A·l, φ(W) = e^λ·W^k·e^(−λW), W the ratio of the whole sequence times its importance weights (VESPO,
    /// arXiv:2602.10693).</summary>
    /// <remarks>Importance weights of tokens are multiplied over the sequence; one per sequence, [B], counts once. Computed in logarithms
    /// without the clamps of other implementations (log W in [−18.4, 20]), beyond which φ &lt; 1e-14.</remarks>
    /// <param name="options">k and λ by the advantage's sign; null for the defaults.</param>
    public static PolicySurrogate Vespo(VespoOptions? options = null)
    {
        options ??= new VespoOptions();
        options.Validate();
        return new VespoSurrogate(options);
    }

    /// <summary>−sg[min(ρ, c)]·A·l while |π − π_old| is within δ in the direction of A, otherwise 0 (DPPO-Binary-TV,
    /// arXiv:2602.04879).</summary>
    /// <param name="range">δ₋ and δ₊ in probability.</param>
    /// <param name="cap">c, above 0; 20 by default.</param>
    public static PolicySurrogate DppoTv(ClipRange range, double cap = 20)
    {
        range.Check(nameof(range));
        Guard.Positive(cap, nameof(cap));
        return new DppoSurrogate(range, cap, Kl: false);
    }

    /// <summary>Like the total-variation form, with the binary divergence π_old log(π_old/π) + (1−π_old) log((1−π_old)/(1−π)) within δ
    /// (DPPO-Binary-KL,
    /// arXiv:2602.04879).</summary>
    /// <param name="range">δ₋ and δ₊ in nats.</param>
    /// <param name="cap">c, above 0; 20 by default.</param>
    public static PolicySurrogate DppoKl(ClipRange range, double cap = 20)
    {
        range.Check(nameof(range));
        Guard.Positive(cap, nameof(cap));
        return new DppoSurrogate(range, cap, Kl: true);
    }

    /// <summary>−(A·l − ½β(l − l_old)²): DRO (arXiv:2405.19107) in the per-token form of public implementations.</summary>
    /// <param name="beta">β, at least 0.</param>
    public static PolicySurrogate Dro(double beta)
    {
        Guard.NotNegative(beta, nameof(beta));
        return new DroSurrogate(beta);
    }

    /// <summary>The clipped surrogate without the gradient of the tokens of high covariance (A − Ā)(l − l̄) (Clip-Cov, arXiv:2505.22617,
    /// eq. 12).</summary>
    /// <remarks>Means and shares are the batch's, so trainers do not split it into micro-batches. Deviation: of the tokens within the
    /// bounds those with the largest covariance are chosen, while the paper chooses at random; the loss is a function of its
    /// inputs.</remarks>
    /// <param name="clip">ε₋ and ε₊.</param>
    /// <param name="fraction">Share of the counted tokens, at least one token; 2e-4 by default.</param>
    /// <param name="least">Smallest covariance; 1 by default.</param>
    /// <param name="most">Largest covariance; 5 by default.</param>
    public static PolicySurrogate ClipCov(ClipRange clip, double fraction = 2e-4, double least = 1, double most = 5)
    {
        clip.Check(nameof(clip));
        Guard.Fraction(fraction, nameof(fraction));
        if (!(least <= most))
            throw new ArgumentOutOfRangeException(nameof(least), least, $"least must be at most most, {most}");
        return new ClipCovSurrogate(clip, fraction, least, most);
    }

    /// <summary>−ρA + β·|log ρ| at the tokens of highest covariance, −ρA elsewhere (KL-Cov, arXiv:2505.22617, eq. 14).</summary>
    /// <remarks>Means and shares are the batch's, so trainers do not split it into micro-batches.</remarks>
    /// <param name="fraction">Share of the counted tokens, at least one token; 2e-4 by default.</param>
    /// <param name="beta">β, at least 0; 1 by default.</param>
    public static PolicySurrogate KlCov(double fraction = 2e-4, double beta = 1)
    {
        Guard.Fraction(fraction, nameof(fraction));
        Guard.NotNegative(beta, nameof(beta));
        return new KlCovSurrogate(fraction, beta);
    }

    /// <summary>Creates a surrogate of your own.</summary>
    /// <remarks>Masks, weights, KL term, entropy bonus and aggregation are applied to its losses as for any other surrogate.</remarks>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Computes the losses of the tokens, [B,T], from ratio, advantages and the other inputs. Its tensors belong to
    /// the caller's dispose scope.</param>
    /// <param name="comparesSequences">True if a token's loss depends on other sequences of the batch; trainers then do not split a batch
    /// into parts.</param>
    public static PolicySurrogate Of(string name, Func<SurrogateInputs, SurrogateTerms> function, bool comparesSequences = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnSurrogate(name, function, comparesSequences);
    }

    private sealed record OwnSurrogate(string Name, Func<SurrogateInputs, SurrogateTerms> Function, bool Compares) : PolicySurrogate
    {
        internal override bool ComparesSequences => Compares;

        internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
        {
            var terms = Function(inputs);
            Guard.Result(terms?.Losses, $"the surrogate '{Name}'", inputs.LogProbs.shape, "logProbs");
            if (terms!.Cut is { } cut)
                Guard.SameShape(cut, $"Cut of the surrogate '{Name}'", inputs.LogProbs, "logProbs");
            return terms;
        }

        public override string ToString() => Name;
    }

    /// <summary>True if the surrogate includes the sampler's importance weights itself; the others are multiplied by them.</summary>
    internal virtual bool UsesImportanceWeights => false;

    /// <summary>True if a token's loss depends on the other sequences of the batch, so that parts of a batch do not sum to it.</summary>
    internal virtual bool ComparesSequences => false;

    internal abstract SurrogateTerms Evaluate(SurrogateInputs inputs);
}

/// <summary>−min(min(ρ, cap)·A, clip(ρ)·A).</summary>
internal sealed record ClipSurrogate(ClipRange Range, double? Cap) : PolicySurrogate
{
    internal override SurrogateTerms Evaluate(SurrogateInputs inputs)
    {
        var advantages = inputs.Advantages;
        // Each branch is ρA or, where its bound acts, a constant. Written as this choice, rounding within the range clips nothing.
        var logRatio = inputs.Exponent;
        var ratio = logRatio.detach().exp();
        var bound = ratio.clamp(1 - Range.Lower, 1 + Range.Upper);
        var isBound = (ratio > 1 + Range.Upper).logical_or(ratio < 1 - Range.Lower);
        var free = Cap is { } cap ? ratio.clamp_max(cap) : ratio;
        var takesBound = (bound * advantages < free * advantages).logical_or(advantages == 0);
        var cut = takesBound.logical_and(isBound);
        if (Cap is { } limit)
            cut = cut.logical_or(takesBound.logical_not().logical_and(ratio > limit));
        var constant = where(takesBound, bound, free);
        var losses = where(cut, constant, logRatio.masked_fill(cut, 0).exp()).mul(advantages).neg();
        return new SurrogateTerms(losses, cut.logical_and(advantages != 0));
    }
}
