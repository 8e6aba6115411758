using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>How much better an outcome was than expected: what a policy loss weighs log-probabilities with.</summary>
public static partial class Advantages
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
    /// <param name="scored">[N]; 1 where the completion has a reward, all of them when null. The others take no part and get 0; what stands
    /// there is not read.</param>
    /// <returns>[N], without a gradient.</returns>
    /// <exception cref="ArgumentException">The rewards are not whole groups.</exception>
    public static Tensor GroupRelative(
        Tensor rewards,
        int groupSize,
        GroupScaling scaling = GroupScaling.Group,
        double epsilon = 1e-4,
        Tensor? scored = null
    )
    {
        CheckGroups(rewards, groupSize, scored);
        Guard.NotNegative(epsilon, nameof(epsilon));

        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (groups, counted) = Groups(rewards, groupSize, scored);
        var centred = Centred(groups, counted, 1);
        var scaled = scaling switch
        {
            GroupScaling.None => centred,
            GroupScaling.Group => Divide(centred, Deviation(groups, counted, 1), epsilon),
            GroupScaling.Batch => Divide(centred, Deviation(groups.view(1, -1), counted.view(1, -1), 1), epsilon),
            _ => throw new ArgumentOutOfRangeException(nameof(scaling), scaling, "expected Group, Batch or None"),
        };
        return scaled.masked_fill(Equal(groups, counted, 1), 0).reshape(-1).MoveToOuterDisposeScope();
    }

    // [groups, G], with 0 where nothing was scored, and which were.
    private static (Tensor Groups, Tensor Counted) Groups(Tensor rewards, int groupSize, Tensor? scored)
    {
        var counted = scored is null ? ones_like(rewards, dtype: ScalarType.Bool) : scored != 0;
        return (Masked.Counted(rewards.detach(), counted).view(-1, groupSize), counted.view(-1, groupSize));
    }

    private static void CheckGroups(Tensor rewards, int groupSize, Tensor? scored)
    {
        Guard.Rank(rewards, nameof(rewards), 1, "[N]");
        Guard.Floating(rewards, nameof(rewards));
        Guard.AtLeast(groupSize, 1, nameof(groupSize));
        if (rewards.shape[0] % groupSize != 0)
            throw new ArgumentException(
                $"rewards holds {rewards.shape[0]} values, expected a multiple of groupSize, {groupSize}",
                nameof(rewards)
            );
        if (scored is not null)
            Guard.SameShape(scored, nameof(scored), rewards, nameof(rewards));
    }

    private static Tensor Centred(Tensor values, Tensor counted, long dim) =>
        Masked.Counted(values - Masked.Mean(values, counted, dim).unsqueeze(dim), counted);

    // Divides by n − 1. With one value there is no deviation: the centred value is 0 and stays so.
    private static Tensor Deviation(Tensor values, Tensor counted, long dim)
    {
        var count = counted.to_type(values.dtype).sum(dim);
        var squares = Centred(values, counted, dim).square().sum(dim);
        return squares.div((count - 1).clamp_min(1)).sqrt().masked_fill(count <= 1, 1).unsqueeze(dim);
    }

    // Rounding leaves equal rewards a little off their mean, and a small deviation would blow that up.
    private static Tensor Equal(Tensor values, Tensor counted, long dim)
    {
        var missing = counted.logical_not();
        var most = values.masked_fill(missing, double.NegativeInfinity).amax([dim], keepdim: true);
        var least = values.masked_fill(missing, double.PositiveInfinity).amin([dim], keepdim: true);
        // Nothing counted: −∞ against +∞, and everything is 0 already.
        return most.eq(least);
    }

    // 0/0 of equal rewards with ε = 0 is 0 as well.
    private static Tensor Divide(Tensor centred, Tensor deviation, double epsilon) =>
        (centred / (deviation + epsilon)).masked_fill((deviation + epsilon) == 0, 0);
}
