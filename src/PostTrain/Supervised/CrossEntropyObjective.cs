using PostTrain.Numerics;

namespace PostTrain.Supervised;

/// <summary>The terms of a cross-entropy; the defaults are the plain negative log-likelihood.</summary>
public sealed record CrossEntropyObjective
{
    /// <summary>ε: the share of the target's probability that is spread evenly over the vocabulary, 0 to 1 (Szegedy et al.,
    /// arXiv:1512.00567, section 7).</summary>
    /// <value>The default is 0.</value>
    public double LabelSmoothing { get; init; }

    /// <summary>λ, at least 0: the weight of (log Σ_v exp z_v)², which keeps logits from drifting (PaLM, arXiv:2204.02311, section
    /// 5).</summary>
    /// <value>The default is 0; PaLM used 1e-4.</value>
    public double ZLoss { get; init; }

    /// <summary>The factor of a token's likelihood term.</summary>
    /// <value>The default is <see cref="TokenWeighting.None"/>.</value>
    public TokenWeighting Weighting { get; init; }

    /// <summary>Scale, soft cap and temperature of the logits.</summary>
    /// <value>The default is <see cref="LogitTransform.None"/>.</value>
    public LogitTransform Logits { get; init; } = LogitTransform.None;

    /// <summary>True if only the targets' log-probabilities under the unchanged logits are needed.</summary>
    internal bool IsOfLogProbsAlone => LabelSmoothing == 0 && ZLoss == 0 && Logits == LogitTransform.None;

    /// <summary>True if this is the plain negative log-likelihood.</summary>
    internal bool IsPlain => IsOfLogProbsAlone && Weighting == TokenWeighting.None;

    internal void Check()
    {
        Guard.Fraction(LabelSmoothing, nameof(LabelSmoothing));
        Guard.NotNegative(ZLoss, nameof(ZLoss));
        if (!Enum.IsDefined(Weighting))
            throw new ArgumentOutOfRangeException(nameof(Weighting), Weighting, "expected None or Probability");
        Logits.Check();
    }
}
