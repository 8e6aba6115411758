using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>An advantage that is made of one reward a completion alone; a part of a <see cref="PolicyObjective"/>.</summary>
public sealed class OutcomeAdvantage
{
    private readonly Func<Tensor, int, Tensor> compute;

    private OutcomeAdvantage(string name, Func<Tensor, int, Tensor> compute) => (Name, this.compute) = (name, compute);

    /// <summary>For logs.</summary>
    public string Name { get; }

    /// <summary>(r − mean)/(std + 1e-4) of the group.</summary>
    public static OutcomeAdvantage GroupScaled { get; } = new("group mean and deviation", (rewards, size) => Advantages.GroupRelative(rewards, size));

    /// <summary>(r − mean of the group)/(std of the batch + 1e-4).</summary>
    public static OutcomeAdvantage BatchScaled { get; } = new("group mean, batch deviation", (rewards, size) => Advantages.GroupRelative(rewards, size, GroupScaling.Batch));

    /// <summary>r − mean of the group.</summary>
    public static OutcomeAdvantage GroupCentred { get; } = new("group mean", (rewards, size) => Advantages.GroupRelative(rewards, size, GroupScaling.None));

    /// <summary>r − mean of the group's others.</summary>
    public static OutcomeAdvantage LeaveOneOut { get; } = new("leave one out", (rewards, size) => Advantages.LeaveOneOut(rewards, size));

    /// <summary>GPG's α(r − mean of the group).</summary>
    public static OutcomeAdvantage GroupPolicyGradient { get; } = new("GPG", (rewards, size) => Advantages.GroupPolicyGradient(rewards, size));

    /// <summary>r itself.</summary>
    public static OutcomeAdvantage Reward { get; } = new("reward", (rewards, _) => Advantages.Reinforce(rewards));

    /// <summary>Of [N] rewards, the groups standing one after another, [N] advantages without a gradient.</summary>
    /// <param name="rewards">[N].</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    public Tensor Compute(Tensor rewards, int groupSize) => compute(rewards, groupSize);

    /// <inheritdoc/>
    public override string ToString() => Name;
}
