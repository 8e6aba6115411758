using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

/// <summary>Pairs for tests of preference losses.</summary>
internal static class PreferenceData
{
    /// <summary>Four pairs with log-probabilities in −2..0 (a scale at which no loss saturates) and lengths 1..4.</summary>
    internal static PairLogProbs Pairs(int seed) =>
        new(Numbers.Uniform(seed, 1, 4) - 1, Numbers.Uniform(7 * seed * seed + 3, 1, 4) - 1, Doubles(3, 1, 4, 2), Doubles(2, 4, 1, 3));

    /// <summary>One pair.</summary>
    internal static PairLogProbs Pair(double chosen, double rejected, double chosenLength = 1, double rejectedLength = 1) =>
        new(Doubles(chosen), Doubles(rejected), Doubles(chosenLength), Doubles(rejectedLength));

    internal static Tensor Doubles(params double[] values) => tensor(values);

    /// <summary>Every tensor of a result.</summary>
    internal static Tensor[] Tensors(PreferenceLoss loss) =>
        [loss.Loss, loss.PairLosses, loss.ChosenRewards, loss.RejectedRewards, loss.Margins, loss.Accuracy];

    /// <summary>Every loss of DPO's family, by name.</summary>
    internal static IReadOnlyDictionary<string, DpoLoss> DpoLosses { get; } =
        new Dictionary<string, DpoLoss>
        {
            ["sigmoid"] = MarginLoss.Sigmoid(),
            ["cdpo"] = MarginLoss.Sigmoid(0.1),
            ["sigmoid_norm"] = DpoLoss.OfMargin(MarginLoss.Sigmoid(), lengthNormalized: true),
            ["hinge"] = MarginLoss.Hinge,
            ["ipo"] = DpoLoss.Ipo(),
            ["ipo sum"] = DpoLoss.Ipo(lengthNormalized: false),
            ["robust"] = MarginLoss.Robust(0.2),
            ["exo_pair"] = MarginLoss.Exo(0.1),
            ["discopop"] = MarginLoss.DiscoPop(),
            ["nca_pair"] = DpoLoss.NcaPair,
            ["bco_pair"] = DpoLoss.BcoPair,
            ["sppo_hard"] = DpoLoss.SppoHard,
            ["aot"] = DpoLoss.Aot(0.1),
            ["aot_unpaired"] = DpoLoss.AotUnpaired(0.1),
            ["apo_zero"] = DpoLoss.ApoZero,
            ["apo_down"] = DpoLoss.ApoDown,
            ["sft"] = DpoLoss.ChosenLikelihood(),
            ["mpo"] = DpoLoss.Mpo(),
            ["rpo"] = DpoLoss.Rpo(0.5),
            ["irpo"] = DpoLoss.Irpo(),
        };

    internal static TheoryData<string> DpoNames => [.. DpoLosses.Keys];
}
