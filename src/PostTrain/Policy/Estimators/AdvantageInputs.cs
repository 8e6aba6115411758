using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>Inputs of an <see cref="AdvantageMethod"/>: N completions, group after group.</summary>
/// <param name="Rewards">[N], with penalties.</param>
/// <param name="GroupSize">Completions of a group.</param>
/// <param name="Mask">[N,T]; 1 at generated tokens.</param>
/// <param name="TokenRewards">[N,T]: the rewards, and penalties of tokens, at their positions.</param>
public sealed record AdvantageInputs(Tensor Rewards, int GroupSize, Tensor Mask, Tensor TokenRewards)
{
    /// <summary>Components of the reward by name, [N]; NaN if not applicable.</summary>
    public IReadOnlyDictionary<string, double[]> Components { get; init; } = new Dictionary<string, double[]>();

    /// <summary>Rewards of the prompts' greedy completions, [N/G]; null unless the method asks for them.</summary>
    public Tensor? GreedyRewards { get; init; }

    internal Tensor PerComponent((string Name, double Weight)[] components)
    {
        var columns = components
            .Select(component =>
                Components.TryGetValue(component.Name, out var values)
                    ? values
                    : throw new InvalidOperationException(
                        $"the reward has no component '{component.Name}', expected one of "
                            + $"{string.Join(", ", Components.Keys.Order(StringComparer.Ordinal))}"
                    )
            )
            .ToArray();
        var rewards = stack(columns.Select(values => tensor(values)).ToArray(), 1).to(Rewards.device);
        return Advantages.PerComponent(
            rewards,
            [.. components.Select(component => component.Weight)],
            GroupSize,
            scored: rewards.isnan().logical_not()
        );
    }
}
