using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>How the rewards of completions become advantages; a part of a <see cref="PolicyObjective"/>. What it computes is in
/// <see cref="Advantages"/>.</summary>
public abstract class AdvantageMethod
{
    private protected AdvantageMethod(string name, int leastGroup) => (Name, LeastGroup) = (name, leastGroup);

    /// <summary>(r − mean)/(std + 1e-4) of the group.</summary>
    public static AdvantageMethod GroupScaled { get; } =
        OfRewards("group mean and deviation", (rewards, size) => Advantages.GroupRelative(rewards, size), 2);

    /// <summary>(r − mean of the group)/(std of the batch + 1e-4).</summary>
    public static AdvantageMethod BatchScaled { get; } =
        OfRewards("group mean, batch deviation", (rewards, size) => Advantages.GroupRelative(rewards, size, GroupScaling.Batch), 2);

    /// <summary>r − mean of the group.</summary>
    public static AdvantageMethod GroupCentred { get; } =
        OfRewards("group mean", (rewards, size) => Advantages.GroupRelative(rewards, size, GroupScaling.None), 2);

    /// <summary>r − mean of the group's others.</summary>
    public static AdvantageMethod LeaveOneOut { get; } =
        OfRewards("leave one out", (rewards, size) => Advantages.LeaveOneOut(rewards, size), 2);

    /// <summary>GPG's α(r − mean of the group).</summary>
    public static AdvantageMethod GroupPolicyGradient { get; } =
        OfRewards("GPG", (rewards, size) => Advantages.GroupPolicyGradient(rewards, size), 2);

    /// <summary>The group's best completion gets its lead over the second, the others 0: <see cref="Advantages.PassAtK"/>.</summary>
    public static AdvantageMethod PassAtK { get; } = OfRewards("pass@k", (rewards, size) => Advantages.PassAtK(rewards, size), 2);

    /// <summary>r itself.</summary>
    public static AdvantageMethod Reward { get; } = OfRewards("reward", (rewards, _) => Advantages.Reinforce(rewards));

    /// <summary>r − reward of the greedy completion of the same prompt, which the trainer draws and judges too (self-critical training,
    /// ReMax): <see cref="Advantages.SelfCritical"/>.</summary>
    public static AdvantageMethod SelfCritical { get; } =
        new Composed("greedy completion", 1, inputs => Advantages.SelfCritical(inputs.Rewards, inputs.GreedyRewards!))
        {
            NeedsGreedy = true,
        };

    /// <summary>r − the length-weighted mean of the group (OPO): <see cref="Advantages.OptimalReward"/>.</summary>
    public static AdvantageMethod OptimalReward { get; } =
        new Composed(
            "length-weighted group mean",
            2,
            inputs => Advantages.OptimalReward(inputs.Rewards, inputs.Mask.to_type(ScalarType.Float64).sum(1L), inputs.GroupSize)
        );

    /// <summary>r − mean of the group, standardised over the tokens of the batch (REINFORCE++ with baseline):
    /// <see cref="Advantages.ReinforcePlusPlusBaseline"/>.</summary>
    public static AdvantageMethod ReinforcePlusPlusBaseline { get; } =
        new Composed(
            "REINFORCE++ baseline",
            2,
            inputs => Advantages.ReinforcePlusPlusBaseline(inputs.Rewards, inputs.GroupSize, inputs.Mask)
        )
        {
            IsPerToken = true,
        };

    /// <summary>The discounted token returns, standardised over the tokens of the batch (REINFORCE++):
    /// <see cref="Advantages.ReinforcePlusPlus"/>.</summary>
    /// <remarks>A batch of a single completion has nothing to compare it with: the trainer refuses one.</remarks>
    /// <param name="gamma">γ, 0 to 1; 1 by default.</param>
    public static AdvantageMethod ReinforcePlusPlus(double gamma = 1)
    {
        Guard.Fraction(gamma, nameof(gamma));
        return new Composed("REINFORCE++", 1, inputs => Advantages.ReinforcePlusPlus(inputs.TokenRewards, inputs.Mask, gamma))
        {
            IsPerToken = true,
            LeastBatch = 2,
        };
    }

    /// <summary>Each component of the reward normalised in its group, their weighted sum standardised over the batch (GDPO):
    /// <see cref="Advantages.PerComponent"/>.</summary>
    /// <param name="components">Names as in <see cref="Rewards.RewardScores.Components"/>, with their weights; <c>overlong</c> is the
    /// trainer's overlong penalty. The reward itself is only logged.</param>
    public static AdvantageMethod PerComponent(params (string Name, double Weight)[] components)
    {
        ArgumentNullException.ThrowIfNull(components);
        if (components.Length == 0)
            throw new ArgumentException("components is empty, expected at least one", nameof(components));
        return new Composed("components", 2, inputs => inputs.PerComponent(components)) { UsesComponents = true };
    }

    /// <summary>A method of one's own.</summary>
    /// <param name="name">Name for logs and messages.</param>
    /// <param name="function">Advantages, [N] or [N,T], from the rewards, their components, token rewards and masks.</param>
    /// <param name="leastGroup">Smallest group size that the method is defined for; 1 by default.</param>
    /// <param name="perToken">Whether advantages differ within a completion, [N,T]; false by default.</param>
    /// <param name="needsGreedy">Whether the trainer draws and judges a greedy completion of each prompt too; false by default.</param>
    public static AdvantageMethod Of(
        string name,
        Func<AdvantageInputs, Tensor> function,
        int leastGroup = 1,
        bool perToken = false,
        bool needsGreedy = false
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        Guard.AtLeast(leastGroup, 1, nameof(leastGroup));
        return new Composed(
            name,
            leastGroup,
            inputs =>
                Guard.Result(
                    function(inputs),
                    $"the advantage '{name}'",
                    perToken ? inputs.Mask.shape : inputs.Rewards.shape,
                    perToken ? "the mask" : "the rewards"
                )
        )
        {
            IsPerToken = perToken,
            NeedsGreedy = needsGreedy,
        };
    }

    /// <summary>A method of one's own that sees the rewards alone; <see cref="Compute(Tensor, int)"/> evaluates it outside of a
    /// trainer.</summary>
    /// <param name="name">Name for logs and messages.</param>
    /// <param name="function">Advantages, [N], from the rewards, [N] in float64, and the size of a group.</param>
    /// <param name="leastGroup">Smallest group size that the method is defined for; 1 by default.</param>
    public static AdvantageMethod OfRewards(string name, Func<Tensor, int, Tensor> function, int leastGroup = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new Composed(
            name,
            leastGroup,
            inputs =>
                Guard.Result(function(inputs.Rewards, inputs.GroupSize), $"the advantage '{name}'", inputs.Rewards.shape, "the rewards")
        )
        {
            IsOfRewards = true,
        };
    }

    /// <summary>For logs.</summary>
    public string Name { get; }

    /// <summary>The smallest group that it makes sense for.</summary>
    internal int LeastGroup { get; }

    /// <summary>The fewest completions of a batch that it makes sense for, where it standardises over the batch.</summary>
    internal int LeastBatch { get; private init; } = 1;

    /// <summary>Whether greedy completions must be drawn too.</summary>
    internal bool NeedsGreedy { get; private init; }

    /// <summary>Whether advantages differ within a completion: [N,T] instead of [N].</summary>
    internal bool IsPerToken { get; private init; }

    /// <summary>Whether the reward's components are used and not the reward.</summary>
    internal bool UsesComponents { get; private init; }

    private bool IsOfRewards { get; init; }

    /// <summary>Of [N] rewards, the groups standing one after another, [N] advantages without a gradient.</summary>
    /// <param name="rewards">[N].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <exception cref="InvalidOperationException">The method needs more than the rewards: masks, components or greedy completions.
    /// <see cref="Advantages"/> has it as a function of them.</exception>
    public Tensor Compute(Tensor rewards, int groupSize) =>
        IsOfRewards
            ? Compute(new AdvantageInputs(rewards, groupSize, rewards, rewards))
            : throw new InvalidOperationException(
                $"the advantage '{Name}' needs more than the rewards; call the function of {nameof(Advantages)} that it is made of"
            );

    /// <summary>[N] or [N,T], without a gradient.</summary>
    internal abstract Tensor Compute(AdvantageInputs inputs);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private sealed class Composed(string name, int leastGroup, Func<AdvantageInputs, Tensor> compute) : AdvantageMethod(name, leastGroup)
    {
        internal override Tensor Compute(AdvantageInputs inputs) => compute(inputs);
    }
}
