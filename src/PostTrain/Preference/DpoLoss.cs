using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Preference.Losses;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Loss of the scores in DPO's family.</summary>
/// <remarks>
/// With the log-ratios D_w, D_l of the chosen and the rejected completion, their scores s = f′(e^D) (s = D for the reverse KL) and the
/// margin h = β(s_w − s_l). Divided scores and margins cost the completions' lengths, which <see cref="PairLogProbs"/> then has to hold.
/// </remarks>
public abstract record DpoLoss
{
    private protected DpoLoss() { }

    /// <summary>(Δ − 1/(2β))²: IPO, arXiv:2310.12036, eq. 17.</summary>
    /// <param name="lengthNormalized">
    /// Δ of scores divided by their completions' lengths (TRL, as the paper's authors have confirmed); false: of sums, as the formula
    /// stands (Mitchell's code, OpenRLHF). True by default.
    /// </param>
    public static DpoLoss Ipo(bool lengthNormalized = true) => OfMargin(MarginLoss.Ipo, lengthNormalized);

    /// <summary>−log σ(βs_w) − ½ log σ(−βs_w) − ½ log σ(−βs_l): NCA for pairs, arXiv:2402.05369</summary>
    public static DpoLoss NcaPair { get; } = new NcaPairLoss();

    /// <summary>−log σ(βs_w) − log σ(−βs_l): BCO for pairs without its reward shift, arXiv:2404.04656; the shifted form is
    /// <see cref="UnpairedLosses.Bco"/>.</summary>
    public static DpoLoss BcoPair { get; } = new BcoPairLoss();

    /// <summary>(s_w − 1/(2β))² + (s_l + 1/(2β))²: SPPO with hard labels, arXiv:2405.00675; 1/(2β²) at equality.</summary>
    public static DpoLoss SppoHard { get; } = new SppoHardLoss();

    /// <summary>Sorts the batch's log π(y_w) − log π(y_l) and the reference's, and takes the logistic loss of β times their difference in
    /// rank.</summary>
    /// <remarks>
    /// Paired AOT, arXiv:2406.05882. Losses stand in sorted order. Uses plain log-probabilities whatever the divergence. A batch of one is
    /// DPO. Ranks are those of the whole batch, so trainers refuse
    /// to cut it into micro-batches.
    /// </remarks>
    /// <param name="labelSmoothing">0 ≤ ε &lt; 0.5; 0 by default.</param>
    public static DpoLoss Aot(double labelSmoothing = 0) => new AotLoss(MarginLoss.Smoothing(labelSmoothing, nameof(labelSmoothing)));

    /// <summary>Sorts D_w and D_l each, and takes the logistic loss of β times their difference in rank: unpaired AOT.</summary>
    /// <inheritdoc cref="Aot"/>
    public static DpoLoss AotUnpaired(double labelSmoothing = 0) =>
        new AotUnpairedLoss(MarginLoss.Smoothing(labelSmoothing, nameof(labelSmoothing)));

    /// <summary>(1 − σ(βD_w)) + σ(βD_l): APO-zero, arXiv:2408.06266; plain log-ratios whatever the divergence.</summary>
    public static DpoLoss ApoZero { get; } = new ApoZeroLoss();

    /// <summary>σ(βD_w) + (1 − σ(h)): APO-down, arXiv:2408.06266; the first term of the plain log-ratio.</summary>
    public static DpoLoss ApoDown { get; } = new ApoDownLoss();

    /// <summary>Negative log-likelihood of the chosen completions, for mixtures.</summary>
    /// <param name="tokenMean">
    /// True (default, as TRL): the mean over all chosen tokens of the batch; each pair's loss is −log π(y_w)·B/Σ|y_w|, with the mean length
    /// Σ|y_w|/B of the whole batch where a part is
    /// given it. False: the mean over pairs of −log π(y_w)/|y_w|.
    /// </param>
    public static DpoLoss ChosenLikelihood(bool tokenMean = true) => new ChosenLikelihoodLoss(tokenMean);

    /// <summary>Σ_k w_k L_k.</summary>
    /// <param name="terms">At least one loss with its finite weight.</param>
    public static DpoLoss Weighted(params (double Weight, DpoLoss Loss)[] terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        if (terms.Length == 0)
            throw new ArgumentException("terms is empty, expected at least one loss", nameof(terms));
        foreach (var (weight, loss) in terms)
        {
            ArgumentNullException.ThrowIfNull(loss, nameof(terms));
            if (!double.IsFinite(weight))
                throw new ArgumentOutOfRangeException(nameof(terms), weight, "the weights of terms must be finite numbers");
        }
        return new WeightedLoss([.. terms]);
    }

    /// <summary>0.8·DPO + 0.2·BCO + 1·NLL: mixed preference optimisation, arXiv:2411.10442.</summary>
    public static DpoLoss Mpo() => Weighted((0.8, MarginLoss.Sigmoid()), (0.2, BcoPair), (1, ChosenLikelihood()));

    /// <summary>DPO + α·NLL over tokens: regularised preference optimisation, arXiv:2405.16436.</summary>
    /// <param name="alpha">α of at least 0; 1 by default.</param>
    public static DpoLoss Rpo(double alpha = 1) => Weighted((1, MarginLoss.Sigmoid()), (NotNegative(alpha), ChosenLikelihood()));

    /// <summary>DPO + α·NLL/|y_w| of each pair: iterative reasoning preference optimisation, arXiv:2404.19733, eq. 1.</summary>
    /// <param name="alpha">α of at least 0; 1 by default.</param>
    public static DpoLoss Irpo(double alpha = 1) =>
        Weighted((1, MarginLoss.Sigmoid()), (NotNegative(alpha), ChosenLikelihood(tokenMean: false)));

    /// <summary>A loss of the margin, such as <see cref="MarginLoss.Sigmoid"/> (DPO, arXiv:2305.18290, eq. 7; cDPO with label smoothing)
    /// or <see cref="MarginLoss.Hinge"/> (SLiC-HF, RSO).</summary>
    /// <remarks>
    /// A <see cref="MarginLoss"/> is a loss of this family by itself; with <paramref name="lengthNormalized"/> and the logistic loss it is
    /// the
    /// length-normalised DPO of Tülu 3, arXiv:2411.15124. TRL's current sigmoid and hinge losses ignore their label smoothing; its v0.22,
    /// torchtune and OpenRLHF apply it as here.
    /// </remarks>
    /// <param name="loss">The loss of β times the difference of scores.</param>
    /// <param name="lengthNormalized">Divides each score by its completion's length first; false by default.</param>
    public static DpoLoss OfMargin(MarginLoss loss, bool lengthNormalized = false)
    {
        ArgumentNullException.ThrowIfNull(loss);
        return lengthNormalized ? new LengthNormalizedLoss(loss) : loss;
    }

    /// <summary>A loss of one's own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Loss of each pair, [B], from the scores and β. Tensors that it makes belong to the caller's dispose
    /// scope.</param>
    /// <param name="comparesPairs">Whether a pair's loss depends on the other pairs of the batch; trainers then refuse to cut a batch into
    /// parts.</param>
    public static DpoLoss Of(string name, Func<DpoScores, double, Tensor> function, bool comparesPairs = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnDpoLoss(name, function, comparesPairs);
    }

    /// <summary>True if a pair's loss depends on the other pairs' log-probs, so that parts of a batch do not add up to it.</summary>
    internal virtual bool ComparesPairs => false;

    /// <summary>The loss in closed form; null where it has none: a loss that sorts the batch, or one of the caller's own.</summary>
    internal virtual PairForm? Form => null;

    /// <summary>The loss of each pair, [B].</summary>
    internal abstract Tensor PerPair(DpoScores scores, double beta);

    private static double NotNegative(double alpha)
    {
        Guard.NotNegative(alpha, nameof(alpha));
        return alpha;
    }

    private sealed record OwnDpoLoss(string Name, Func<DpoScores, double, Tensor> Function, bool Compares) : DpoLoss
    {
        internal override bool ComparesPairs => Compares;

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            Guard.Result(Function(scores, beta), $"the loss '{Name}'", scores.ChosenRatios.shape, "the pairs");

        public override string ToString() => Name;
    }

    /// <summary>A loss of the margin of scores that are divided by their completions' lengths.</summary>
    internal sealed record LengthNormalizedLoss(MarginLoss Loss) : DpoLoss
    {
        internal override PairForm? Form => Loss.Margin is { } margin ? new MarginPairForm(margin, true) : null;

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            Loss.Evaluate(scores.NormalizedDifference("a length-normalised loss") * beta, beta);
    }

    internal sealed record NcaPairLoss : DpoLoss
    {
        internal override PairForm? Form => new LogisticPairForm(1, 0.5, 0.5);

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            -Stable.LogSigmoid(scores.Chosen * beta)
            - 0.5 * (Stable.LogSigmoid(scores.Chosen * -beta) + Stable.LogSigmoid(scores.Rejected * -beta));
    }

    internal sealed record BcoPairLoss : DpoLoss
    {
        internal override PairForm? Form => new LogisticPairForm(1, 0, 1);

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            -(Stable.LogSigmoid(scores.Chosen * beta) + Stable.LogSigmoid(scores.Rejected * -beta));
    }

    internal sealed record SppoHardLoss : DpoLoss
    {
        internal override PairForm? Form => new SppoPairForm();

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            (scores.Chosen - 0.5 / beta).square() + (scores.Rejected + 0.5 / beta).square();
    }

    internal sealed record AotLoss(double Epsilon) : DpoLoss
    {
        internal override bool ComparesPairs => true;

        internal override Tensor PerPair(DpoScores scores, double beta)
        {
            var gaps = (scores.Policy.Chosen - scores.Policy.Rejected).sort(0).Values;
            var margins = scores.Reference is { } reference ? gaps - (reference.Chosen - reference.Rejected).sort(0).Values : gaps;
            return MarginLoss.Sigmoid(Epsilon).Evaluate(margins * beta, beta);
        }
    }

    internal sealed record AotUnpairedLoss(double Epsilon) : DpoLoss
    {
        internal override bool ComparesPairs => true;

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            MarginLoss.Sigmoid(Epsilon).Evaluate((scores.ChosenRatios.sort(0).Values - scores.RejectedRatios.sort(0).Values) * beta, beta);
    }

    internal sealed record ApoZeroLoss : DpoLoss
    {
        internal override PairForm? Form => new ApoZeroPairForm();

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            (scores.ChosenRatios * -beta).sigmoid() + (scores.RejectedRatios * beta).sigmoid();
    }

    internal sealed record ApoDownLoss : DpoLoss
    {
        internal override PairForm? Form => new ApoDownPairForm();

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            (scores.ChosenRatios * beta).sigmoid() + (scores.Difference() * -beta).sigmoid();
    }

    internal sealed record ChosenLikelihoodLoss(bool TokenMean) : DpoLoss
    {
        internal override PairForm? Form => new LikelihoodPairForm(TokenMean);

        internal override Tensor PerPair(DpoScores scores, double beta)
        {
            // Divided by the mean length, the mean over pairs is the mean over tokens.
            if (TokenMean && scores.MeanChosenLength is { } length)
                return -scores.Policy.Chosen / length;
            var lengths = scores.Policy.ChosenCounts("the likelihood term");
            return TokenMean
                ? scores.Policy.Chosen * (-(double)lengths.shape[0]) / lengths.sum().clamp_min(1)
                : -scores.Policy.Chosen / lengths.clamp_min(1);
        }
    }

    internal sealed record WeightedLoss(IReadOnlyList<(double Weight, DpoLoss Loss)> Terms) : DpoLoss
    {
        internal override PairForm? Form
        {
            get
            {
                var forms = Terms.Select(term => (term.Weight, term.Loss.Form)).ToArray();
                return Array.Exists(forms, term => term.Form is null)
                    ? null
                    : new MixedPairForm([.. forms.Select(term => (term.Weight, term.Form!))]);
            }
        }

        internal override bool ComparesPairs => Terms.Any(term => term.Loss.ComparesPairs);

        internal override Tensor PerPair(DpoScores scores, double beta) =>
            Terms.Select(term => term.Loss.PerPair(scores, beta) * term.Weight).Aggregate((sum, term) => sum + term);
    }
}
