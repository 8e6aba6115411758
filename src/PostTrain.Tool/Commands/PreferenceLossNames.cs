using PostTrain.Preference;

namespace PostTrain.Tool;

/// <summary>The losses of <c>posttrain dpo</c> by their names.</summary>
public static class PreferenceLossNames
{
    /// <summary>Losses of <see cref="DpoTrainer"/>.</summary>
    public static IReadOnlyDictionary<string, DpoLoss> Dpo { get; } =
        new Dictionary<string, DpoLoss>
        {
            ["sigmoid"] = MarginLoss.Sigmoid(),
            ["cdpo"] = MarginLoss.Sigmoid(labelSmoothing: 0.1),
            ["robust"] = MarginLoss.Robust(0.1),
            ["sigmoid_norm"] = DpoLoss.OfMargin(MarginLoss.Sigmoid(), lengthNormalized: true),
            ["hinge"] = MarginLoss.Hinge,
            ["ipo"] = DpoLoss.Ipo(),
            ["exo_pair"] = MarginLoss.Exo(),
            ["nca_pair"] = DpoLoss.NcaPair,
            ["bco_pair"] = DpoLoss.BcoPair,
            ["sppo_hard"] = DpoLoss.SppoHard,
            ["aot"] = DpoLoss.Aot(),
            ["aot_unpaired"] = DpoLoss.AotUnpaired(),
            ["apo_zero"] = DpoLoss.ApoZero,
            ["apo_down"] = DpoLoss.ApoDown,
            ["discopop"] = MarginLoss.DiscoPop(),
            ["mpo"] = DpoLoss.Mpo(),
            ["rpo"] = DpoLoss.Rpo(),
            ["irpo"] = DpoLoss.Irpo(),
        };

    /// <summary>Objectives of <see cref="CpoTrainer"/>, which needs no reference.</summary>
    internal static IReadOnlyDictionary<string, CpoObjective> Cpo { get; } =
        new Dictionary<string, CpoObjective>
        {
            ["cpo"] = CpoObjective.Cpo(),
            ["simpo"] = CpoObjective.Simpo(),
            ["alphapo"] = CpoObjective.AlphaPo(),
        };

    internal const string Orpo = "orpo",
        Kto = "kto";

    internal static IEnumerable<string> All => [.. Dpo.Keys, .. Cpo.Keys, Orpo, Kto];

    /// <summary>True for a loss that compares the pairs of a batch with each other and needs it whole.</summary>
    internal static bool ComparesPairs(string name) => name is "aot" or "aot_unpaired";
}
