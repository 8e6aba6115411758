using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Preference.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>A loss of the margin h = β(s_w − s_l) by which the chosen completion's score exceeds the rejected one's.</summary>
/// <remarks>The same losses serve DPO, CPO, SimPO, TPO and XPO, which differ in what the score is.</remarks>
public abstract record MarginLoss : DpoLoss
{
    private MarginLoss() { }

    /// <summary>−(1−ε) log σ(h) − ε log σ(−h): logistic; with ε above 0 the conservative loss of cDPO.</summary>
    /// <remarks>DPO, arXiv:2305.18290, eq. 7; cDPO, Mitchell 2023, eq. 3. log 2 at h = 0 whatever ε.</remarks>
    /// <param name="labelSmoothing">ε, the assumed share of pairs with flipped labels, 0 ≤ ε &lt; 0.5; 0 by
    /// default.</param>
    public static MarginLoss Sigmoid(double labelSmoothing = 0) => new SigmoidLoss(Smoothing(labelSmoothing, nameof(labelSmoothing)));

    /// <summary>max(0, 1 − h): SLiC (arXiv:2305.10425), RSO (arXiv:2309.06657).</summary>
    public static MarginLoss Hinge { get; } = new HingeLoss();

    /// <summary>(h/β − 1/(2β))²: IPO, arXiv:2310.12036, eq. 17, with τ = β. 1/(4β²) at h = 0.</summary>
    public static new MarginLoss Ipo { get; } = new IpoLoss();

    /// <summary>[−(1−ε) log σ(h) + ε log σ(−h)]/(1−2ε): unbiased where a share ε of the labels is flipped.</summary>
    /// <remarks>Robust DPO, arXiv:2403.00409 Not bounded below for ε above 0: its value runs to −∞ with h.</remarks>
    /// <param name="labelSmoothing">ε, 0 ≤ ε &lt; 0.5.</param>
    public static MarginLoss Robust(double labelSmoothing) => new RobustLoss(Smoothing(labelSmoothing, nameof(labelSmoothing)));

    /// <summary>KL of the policy's preference q = σ(h) from the smoothed label: q log(q/(1−ε)) + (1−q) log((1−q)/ε).</summary>
    /// <remarks>EXO, arXiv:2402.00856. ε = 0 would be infinite, so it is refused.</remarks>
    /// <param name="labelSmoothing">ε, 0 &lt; ε &lt; 0.5; 0.001 by default.</param>
    public static MarginLoss Exo(double labelSmoothing = 1e-3)
    {
        if (!(labelSmoothing > 0))
            throw new ArgumentOutOfRangeException(
                nameof(labelSmoothing),
                labelSmoothing,
                "labelSmoothing must be above 0: the loss is infinite at 0"
            );
        return new ExoLoss(Smoothing(labelSmoothing, nameof(labelSmoothing)));
    }

    /// <summary>(1−w)·(−log σ(h)) + w·e^{−h}, w = σ(h/τ): log-ratio modulated, DiscoPOP, arXiv:2406.08414</summary>
    /// <param name="temperature">τ above 0; 0.05 by default. Finite for all h where τ ≤ 1.</param>
    public static MarginLoss DiscoPop(double temperature = 0.05)
    {
        Guard.Temperature(temperature, nameof(temperature));
        return new DiscoPopLoss(temperature);
    }

    /// <summary>A loss of your own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Loss of each margin h, of the same shape, from h and β. Tensors that it makes belong to the caller's dispose
    /// scope.</param>
    public static MarginLoss Of(string name, Func<Tensor, double, Tensor> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnLoss(name, function);
    }

    /// <summary>Computes the loss of each margin.</summary>
    /// <param name="margins">h, any shape.</param>
    /// <param name="beta">β, which <see cref="Ipo"/> divides by; above 0.</param>
    /// <returns>The same shape; differentiable.</returns>
    public Tensor Evaluate(Tensor margins, double beta)
    {
        Guard.Floating(margins, nameof(margins));
        Guard.Positive(beta, nameof(beta));
        using var scope = NewDisposeScope();
        return Losses(margins, beta).MoveToOuterDisposeScope();
    }

    /// <summary>The loss of the margin in closed form; null for one of the caller's own.</summary>
    internal virtual MarginForm? Margin => null;

    internal sealed override PairForm? Form => Margin is { } margin ? new MarginPairForm(margin, false) : null;

    internal sealed override Tensor PerPair(DpoScores scores, double beta) => Evaluate(scores.Difference() * beta, beta);

    private protected abstract Tensor Losses(Tensor h, double beta);

    /// <summary>ε of a label-smoothed loss.</summary>
    internal static double Smoothing(double value, string name) =>
        value is >= 0 and < 0.5 ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least 0 and below 0.5");

    private sealed record OwnLoss(string Name, Func<Tensor, double, Tensor> Function) : MarginLoss
    {
        private protected override Tensor Losses(Tensor h, double beta) =>
            Guard.Result(Function(h, beta), $"the loss '{Name}'", h.shape, "the margins");

        public override string ToString() => Name;
    }

    internal sealed record SigmoidLoss(double Epsilon) : MarginLoss
    {
        internal override MarginForm? Margin => new LogisticMargin(1 - Epsilon, Epsilon);

        private protected override Tensor Losses(Tensor h, double beta) =>
            Epsilon == 0 ? Stable.LogSigmoid(h).neg() : -(1 - Epsilon) * Stable.LogSigmoid(h) - Epsilon * Stable.LogSigmoid(h.neg());
    }

    internal sealed record HingeLoss : MarginLoss
    {
        internal override MarginForm? Margin => new HingeMargin();

        private protected override Tensor Losses(Tensor h, double beta) => (1 - h).relu();
    }

    internal sealed record IpoLoss : MarginLoss
    {
        internal override MarginForm? Margin => new IpoMargin();

        private protected override Tensor Losses(Tensor h, double beta) => (h - 0.5).div(beta).square();
    }

    internal sealed record RobustLoss(double Epsilon) : MarginLoss
    {
        internal override MarginForm? Margin => new LogisticMargin((1 - Epsilon) / (1 - 2 * Epsilon), -Epsilon / (1 - 2 * Epsilon));

        private protected override Tensor Losses(Tensor h, double beta) =>
            (-(1 - Epsilon) * Stable.LogSigmoid(h) + Epsilon * Stable.LogSigmoid(h.neg())).div(1 - 2 * Epsilon);
    }

    internal sealed record ExoLoss(double Epsilon) : MarginLoss
    {
        internal override MarginForm? Margin => new ExoMargin(Epsilon);

        private protected override Tensor Losses(Tensor h, double beta) =>
            h.sigmoid() * (Stable.LogSigmoid(h) - Math.Log(1 - Epsilon))
            + h.neg().sigmoid() * (Stable.LogSigmoid(h.neg()) - Math.Log(Epsilon));
    }

    internal sealed record DiscoPopLoss(double Temperature) : MarginLoss
    {
        internal override MarginForm? Margin => new DiscoPopMargin(Temperature);

        // w·e^{−h} as one exponential: the factors alone are 0 and ∞ for a large negative h.
        private protected override Tensor Losses(Tensor h, double beta) =>
            (h / -Temperature).sigmoid() * -Stable.LogSigmoid(h) + (Stable.LogSigmoid(h / Temperature) - h).exp();
    }
}
