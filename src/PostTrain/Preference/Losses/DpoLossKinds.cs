using PostTrain.Numerics;
using PostTrain.Operators;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>A loss of the margin β(s_w − s_l), each score divided by its completion's length where asked for.</summary>
internal sealed record MarginDpoLoss(MarginLoss Loss, bool LengthNormalized) : DpoLoss
{
    internal override PairForm? Form => Loss.Margin is { } margin ? new MarginPairForm(margin, LengthNormalized) : null;

    internal override Tensor PerPair(DpoScores scores, double beta) =>
        Loss.Evaluate((LengthNormalized ? scores.NormalizedDifference("a length-normalised loss") : scores.Difference()) * beta, beta);
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

internal sealed record MixedDpoLoss(IReadOnlyList<(double Weight, DpoLoss Loss)> Terms) : DpoLoss
{
    internal override bool ComparesPairs => Terms.Any(term => term.Loss.ComparesPairs);

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

    internal override Tensor PerPair(DpoScores scores, double beta) =>
        Terms.Select(term => term.Loss.PerPair(scores, beta) * term.Weight).Aggregate((sum, term) => sum + term);
}
