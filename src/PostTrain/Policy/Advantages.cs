using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>How much better an outcome was than expected: what a policy loss weighs log-probabilities with.</summary>
public static class Advantages
{
    /// <summary>A_i = (r_i − mean of its group) / (std + ε), the groups standing one after another.</summary>
    /// <remarks>
    /// DeepSeekMath, arXiv:2402.03300, section 4.1.2; without the division: Dr. GRPO, arXiv:2503.20783. The standard deviation divides
    /// by n − 1, as the public implementations do (the paper does not say). A group of one, or of equal rewards, gives 0.
    /// </remarks>
    /// <param name="rewards">[N], N a multiple of <paramref name="groupSize"/>; any floating-point type.</param>
    /// <param name="groupSize">Completions per prompt, at least 1.</param>
    /// <param name="scaling">What to divide by.</param>
    /// <param name="epsilon">ε, at least 0; 1e-4 by default, as in TRL.</param>
    /// <returns>[N], without a gradient.</returns>
    /// <exception cref="ArgumentException">The rewards are not whole groups.</exception>
    public static Tensor GroupRelative(Tensor rewards, int groupSize, GroupScaling scaling = GroupScaling.Group, double epsilon = 1e-4)
    {
        Guard.Rank(rewards, nameof(rewards), 1, "[N]");
        Guard.Floating(rewards, nameof(rewards));
        Guard.AtLeast(groupSize, 1, nameof(groupSize));
        Guard.NotNegative(epsilon, nameof(epsilon));
        if (rewards.shape[0] % groupSize != 0)
            throw new ArgumentException($"rewards holds {rewards.shape[0]} values, expected a multiple of groupSize, {groupSize}", nameof(rewards));

        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var groups = rewards.detach().view(-1, groupSize);
        var centred = groups - groups.mean([1], keepdim: true);
        var scaled = scaling switch
        {
            GroupScaling.None => centred,
            GroupScaling.Group => Divide(centred, Deviation(groups, groupSize, [1]), epsilon),
            GroupScaling.Batch => Divide(centred, Deviation(rewards.detach(), rewards.shape[0], [0]), epsilon),
            _ => throw new ArgumentOutOfRangeException(nameof(scaling), scaling, "expected Group, Batch or None"),
        };
        // Rounding leaves equal rewards a little off their mean, and a small deviation would blow that up.
        var equal = groups.amax([1], keepdim: true).eq(groups.amin([1], keepdim: true));
        return scaled.masked_fill(equal, 0).reshape(-1).MoveToOuterDisposeScope();
    }

    // With one value there is no deviation: the centred value is 0 and stays so.
    private static Tensor Deviation(Tensor values, long count, long[] dims) =>
        count > 1 ? values.std(dims, unbiased: true, keepdim: true) : values.new_ones(1);

    // 0/0 of equal rewards with ε = 0 is 0 as well.
    private static Tensor Divide(Tensor centred, Tensor deviation, double epsilon) =>
        (centred / (deviation + epsilon)).masked_fill((deviation + epsilon) == 0, 0);
}
