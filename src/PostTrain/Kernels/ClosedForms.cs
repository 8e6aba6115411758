using System.Reflection;
using System.Runtime.CompilerServices;
using PostTrain.Distillation;
using PostTrain.Preference;

namespace PostTrain.Kernels;

/// <summary>Closed forms of the losses that options name; each is made once for an options object.</summary>
internal static class ClosedForms
{
    private static readonly ConditionalWeakTable<DpoLoss, PairForm?> Pairs = [];
    private static readonly ConditionalWeakTable<FDivergence, ScoreForm> Scores = [];

    /// <summary>The form of a loss; null where it has none: a loss that sorts the batch.</summary>
    internal static PairForm? Of(DpoLoss loss) => Pairs.TryGetValue(loss, out var known) ? known : Pairs.GetValue(loss, MakePair);

    /// <summary>The form of a divergence's score.</summary>
    internal static ScoreForm Of(FDivergence divergence) =>
        Scores.TryGetValue(divergence, out var known) ? known : Scores.GetValue(divergence, MakeScore);

    /// <summary>A number in a record of an option, such as ε of a smoothed loss.</summary>
    internal static double Parameter(object record, string name) =>
        (double)record.GetType().GetProperty(name, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(record)!;

    /// <summary>β of a generalised Jensen-Shannon divergence; null for another divergence.</summary>
    internal static double? BetaOf(Divergence divergence) =>
        Same(divergence, Divergence.GeneralizedJsd(0.5)) ? Parameter(divergence, "Beta") : null;

    private static PairForm? MakePair(DpoLoss loss) => loss switch
    {
        MarginDpoLoss margin => new MarginPairForm(Make(margin.Loss), margin.LengthNormalized),
        NcaPairLoss => new LogisticPairForm(1, 0.5, 0.5),
        BcoPairLoss => new LogisticPairForm(1, 0, 1),
        SppoHardLoss => new SppoPairForm(),
        ApoZeroLoss => new ApoZeroPairForm(),
        ApoDownLoss => new ApoDownPairForm(),
        ChosenLikelihoodLoss likelihood => new LikelihoodPairForm(likelihood.TokenMean),
        MixedDpoLoss mixed => Make(mixed),
        _ => null,
    };

    private static MixedPairForm? Make(MixedDpoLoss mixed)
    {
        var terms = mixed.Terms.Select(term => (term.Weight, Form: Of(term.Loss))).ToArray();
        return Array.Exists(terms, term => term.Form is null)
            ? null
            : new MixedPairForm([.. terms.Select(term => (term.Weight, term.Form!))]);
    }

    private static MarginForm Make(MarginLoss loss)
    {
        if (loss == MarginLoss.Hinge) return new HingeMargin();
        if (loss == MarginLoss.Ipo) return new IpoMargin();
        if (Same(loss, MarginLoss.DiscoPop())) return new DiscoPopMargin(Parameter(loss, "Temperature"));
        double epsilon = Parameter(loss, "Epsilon");
        return Same(loss, MarginLoss.Exo()) ? new ExoMargin(epsilon)
            : Same(loss, MarginLoss.Robust(0)) ? new LogisticMargin((1 - epsilon) / (1 - 2 * epsilon), -epsilon / (1 - 2 * epsilon))
            : new LogisticMargin(1 - epsilon, epsilon);
    }

    private static ScoreForm MakeScore(FDivergence divergence)
    {
        if (divergence == FDivergence.ReverseKl) return new RatioScore();
        if (divergence == FDivergence.ForwardKl) return new ForwardScore();
        if (divergence == FDivergence.JensenShannon) return new JensenShannonScore();
        double order = Parameter(divergence, "Order");
        return order == 1 ? new RatioScore() : new AlphaScore(order);
    }

    private static bool Same(object one, object other) => one.GetType() == other.GetType();
}
