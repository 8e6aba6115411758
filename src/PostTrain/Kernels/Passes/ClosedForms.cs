using System.Runtime.CompilerServices;
using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;

namespace PostTrain.Kernels;

/// <summary>Closed forms of the losses that options name; each is made once for an options object.</summary>
internal static class ClosedForms
{
    private static readonly ConditionalWeakTable<DpoLoss, PairForm?> Pairs = [];
    private static readonly ConditionalWeakTable<FDivergence, ScoreForm?> Scores = [];

    /// <summary>The form of a loss; null where it has none: a loss that sorts the batch, or one of the caller's own.</summary>
    internal static PairForm? Of(DpoLoss loss) => Pairs.TryGetValue(loss, out var known) ? known : Pairs.GetValue(loss, MakePair);

    /// <summary>The form of a divergence's score; null for one of the caller's own.</summary>
    internal static ScoreForm? Of(FDivergence divergence) =>
        Scores.TryGetValue(divergence, out var known) ? known : Scores.GetValue(divergence, MakeScore);

    /// <summary>Refuses an aggregation whose weights are not known: one of the caller's own.</summary>
    internal static void Check(LossAggregation? aggregation)
    {
        if (aggregation is LossAggregation.OwnAggregation)
            throw new NotSupportedException($"the aggregation {aggregation} has no kernel; LossAggregation.Apply has it");
    }

    private static PairForm? MakePair(DpoLoss loss) =>
        loss switch
        {
            MarginLoss margin => Make(margin) is { } form ? new MarginPairForm(form, false) : null,
            DpoLoss.LengthNormalizedLoss divided => Make(divided.Loss) is { } form ? new MarginPairForm(form, true) : null,
            DpoLoss.NcaPairLoss => new LogisticPairForm(1, 0.5, 0.5),
            DpoLoss.BcoPairLoss => new LogisticPairForm(1, 0, 1),
            DpoLoss.SppoHardLoss => new SppoPairForm(),
            DpoLoss.ApoZeroLoss => new ApoZeroPairForm(),
            DpoLoss.ApoDownLoss => new ApoDownPairForm(),
            DpoLoss.ChosenLikelihoodLoss likelihood => new LikelihoodPairForm(likelihood.TokenMean),
            DpoLoss.WeightedLoss mixed => Make(mixed),
            _ => null,
        };

    private static MixedPairForm? Make(DpoLoss.WeightedLoss mixed)
    {
        var terms = mixed.Terms.Select(term => (term.Weight, Form: Of(term.Loss))).ToArray();
        return Array.Exists(terms, term => term.Form is null)
            ? null
            : new MixedPairForm([.. terms.Select(term => (term.Weight, term.Form!))]);
    }

    private static MarginForm? Make(MarginLoss loss) =>
        loss switch
        {
            MarginLoss.SigmoidLoss sigmoid => new LogisticMargin(1 - sigmoid.Epsilon, sigmoid.Epsilon),
            MarginLoss.RobustLoss { Epsilon: var epsilon } => new LogisticMargin(
                (1 - epsilon) / (1 - 2 * epsilon),
                -epsilon / (1 - 2 * epsilon)
            ),
            MarginLoss.HingeLoss => new HingeMargin(),
            MarginLoss.IpoLoss => new IpoMargin(),
            MarginLoss.ExoLoss exo => new ExoMargin(exo.Epsilon),
            MarginLoss.DiscoPopLoss disco => new DiscoPopMargin(disco.Temperature),
            _ => null,
        };

    private static ScoreForm? MakeScore(FDivergence divergence) =>
        divergence switch
        {
            FDivergence.ReverseKlDivergence or FDivergence.AlphaDivergence { Order: 1 } => new RatioScore(),
            FDivergence.ForwardKlDivergence => new ForwardScore(),
            FDivergence.JensenShannonDivergence => new JensenShannonScore(),
            FDivergence.AlphaDivergence alpha => new AlphaScore(alpha.Order),
            _ => null,
        };
}
