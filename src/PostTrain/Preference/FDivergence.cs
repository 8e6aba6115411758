using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Divergence of the policy from its reference: it maps a log-ratio D = log π − log π_ref to a score s = f′(e^D).</summary>
/// <remarks>
/// Wang et al. 2023, arXiv:2309.16240, table 1. A constant in f′ cancels in every loss of a difference of scores. Exponentials go over into
/// their tangent beyond e^40, so that values and gradients stay finite where the policy has left the reference.
/// </remarks>
public abstract record FDivergence
{
    private FDivergence() { }

    /// <summary>Reverse KL, KL(π‖π_ref), that of RLHF and DPO: s = D. The default.</summary>
    public static FDivergence ReverseKl { get; } = new ReverseKlDivergence();

    /// <summary>Forward KL, KL(π_ref‖π): s = −e^{−D}.</summary>
    public static FDivergence ForwardKl { get; } = new ForwardKlDivergence();

    /// <summary>Jensen-Shannon: s = log σ(D) (the paper's log(2u/(1+u)) without its constant log 2).</summary>
    public static FDivergence JensenShannon { get; } = new JensenShannonDivergence();

    /// <summary>α-divergence: s = (e^{(α−1)D} − 1)/(α − 1); D for α = 1.</summary>
    /// <remarks>
    /// The paper's (1 − u^{−α′})/α′ with α′ = 1 − α. α → 1 is the reverse KL, 0 the forward KL. TRL leaves the constant −1/(α − 1) out and
    /// so has no limit at α = 1; losses of differences are the same.
    /// </remarks>
    /// <param name="alpha">α, any finite number.</param>
    public static FDivergence Alpha(double alpha)
    {
        if (!double.IsFinite(alpha))
            throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "alpha must be a finite number");
        return new AlphaDivergence(alpha);
    }

    /// <summary>A divergence of your own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Score s = f′(e^D) of each log-ratio D, of the same shape. Tensors that it makes belong to the caller's
    /// dispose scope.</param>
    public static FDivergence Of(string name, Func<Tensor, Tensor> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnDivergence(name, function);
    }

    /// <summary>s = f′(e^D).</summary>
    /// <param name="logRatios">D = log π − log π_ref, any shape.</param>
    /// <returns>The same shape; differentiable.</returns>
    public Tensor Score(Tensor logRatios)
    {
        Guard.Floating(logRatios, nameof(logRatios));
        using var scope = NewDisposeScope();
        return Link(logRatios).MoveToOuterDisposeScope();
    }

    /// <summary>The score in closed form; null for a divergence of the caller's own.</summary>
    internal virtual ScoreForm? Form => null;

    private protected abstract Tensor Link(Tensor logRatios);

    private sealed record OwnDivergence(string Name, Func<Tensor, Tensor> Function) : FDivergence
    {
        private protected override Tensor Link(Tensor logRatios) =>
            Guard.Result(Function(logRatios), $"the divergence '{Name}'", logRatios.shape, "the log-ratios");

        public override string ToString() => Name;
    }

    internal sealed record ReverseKlDivergence : FDivergence
    {
        internal override ScoreForm? Form => new RatioScore();

        private protected override Tensor Link(Tensor logRatios) => logRatios.alias();
    }

    internal sealed record ForwardKlDivergence : FDivergence
    {
        internal override ScoreForm? Form => new ForwardScore();

        private protected override Tensor Link(Tensor logRatios) => Stable.Exp(logRatios.neg()).neg();
    }

    internal sealed record JensenShannonDivergence : FDivergence
    {
        internal override ScoreForm? Form => new JensenShannonScore();

        private protected override Tensor Link(Tensor logRatios) => Stable.LogSigmoid(logRatios);
    }

    internal sealed record AlphaDivergence(double Order) : FDivergence
    {
        internal override ScoreForm? Form => Order == 1 ? new RatioScore() : new AlphaScore(Order);

        private protected override Tensor Link(Tensor logRatios) =>
            Order == 1 ? logRatios.alias() : Stable.Expm1(logRatios * (Order - 1)).div(Order - 1);
    }
}
