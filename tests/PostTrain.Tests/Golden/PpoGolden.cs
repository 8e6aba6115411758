using PostTrain.Numerics;

namespace PostTrain.Tests.Golden;

/// <summary>ppo.json.</summary>
internal static class PpoGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } = new Dictionary<string, GoldenKind> { ["kl_estimators"] = new(Estimators) };

    private static void Estimators(GoldenCase item)
    {
        var (logProbs, reference) = (item.Input("logprobs"), item.Input("ref_logprobs"));
        foreach (var (name, estimator) in new[] { ("k1", KlEstimator.K1), ("k2", KlEstimator.K2), ("k3", KlEstimator.K3) })
            GoldenTolerance.Close(item.Expected(name), KlDivergence.Estimate(logProbs, reference, estimator), name);
    }
}
