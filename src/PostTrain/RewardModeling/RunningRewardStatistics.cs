using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Mean and variance of all rewards seen so far, for normalising the next ones. Immutable: <see cref="Add"/> gives the next
/// state.</summary>
/// <remarks>Chan, Golub and LeVeque 1979: parts are merged with their means, so that large rewards of small variance lose no digits, and
/// any split into batches or ranks gives the same numbers but for rounding. The three numbers are all there is to save in a
/// checkpoint.</remarks>
/// <param name="Count">Number of rewards.</param>
/// <param name="Mean">Their mean; 0 before the first.</param>
/// <param name="SquaredDeviations">Σ (r − mean)².</param>
public sealed record RunningRewardStatistics(double Count, double Mean, double SquaredDeviations)
{
    /// <summary>Before the first reward.</summary>
    public static RunningRewardStatistics Empty { get; } = new(0, 0, 0);

    /// <summary>Σ (r − mean)² / Count; 0 before the first reward.</summary>
    public double Variance => Count > 0 ? SquaredDeviations / Count : 0;

    /// <summary>√<see cref="Variance"/>.</summary>
    public double StandardDeviation => Math.Sqrt(Variance);

    /// <summary>The statistics with these rewards added.</summary>
    /// <param name="rewards">Any shape, floating point; it may be empty.</param>
    /// <exception cref="ArgumentException">A reward is NaN or infinite: it would stay in the statistics for good.</exception>
    public RunningRewardStatistics Add(Tensor rewards)
    {
        Guard.Floating(rewards, nameof(rewards));
        long count = rewards.numel();
        if (count == 0)
            return this;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var values = rewards.detach().to_type(ScalarType.Float64);
        double mean = values.mean().ToDouble();
        double squares = (values - mean).square().sum().ToDouble();
        if (!double.IsFinite(squares))
            throw new ArgumentException(
                $"rewards has the mean {mean:R} and squared deviations of {squares:R}, expected finite numbers",
                nameof(rewards)
            );
        return Merge(new RunningRewardStatistics(count, mean, squares));
    }

    /// <summary>The statistics of both together, for example of several ranks.</summary>
    public RunningRewardStatistics Merge(RunningRewardStatistics other)
    {
        ArgumentNullException.ThrowIfNull(other);
        double count = Count + other.Count;
        if (count == 0)
            return this;
        double difference = other.Mean - Mean;
        return new RunningRewardStatistics(
            count,
            Mean + difference * (other.Count / count),
            SquaredDeviations + other.SquaredDeviations + difference * difference * (Count * other.Count / count)
        );
    }

    /// <summary>(r − mean)/(std + ε), cut off at ±clip.</summary>
    /// <remarks>Rewards are divided by 1 as long as all seen so far were equal. With <paramref name="keepMean"/>, only the scale changes:
    /// r/(std + ε).</remarks>
    /// <param name="rewards">Any shape, floating point.</param>
    /// <param name="keepMean">Does not subtract the mean. False by default.</param>
    /// <param name="epsilon">ε, at least 0; 1e-8 by default.</param>
    /// <param name="clip">The greatest magnitude of a result, above 0; no limit when null.</param>
    /// <returns>The shape and type of <paramref name="rewards"/>; differentiable in them.</returns>
    public Tensor Normalize(Tensor rewards, bool keepMean = false, double epsilon = 1e-8, double? clip = null)
    {
        Guard.Floating(rewards, nameof(rewards));
        Guard.NotNegative(epsilon, nameof(epsilon));
        if (clip is { } limit)
            Guard.Positive(limit, nameof(clip));
        using var scope = NewDisposeScope();
        double deviation = StandardDeviation > 0 ? StandardDeviation + epsilon : 1;
        var normalized = (rewards - (keepMean ? 0 : Mean)) / deviation;
        return (clip is { } bound ? normalized.clamp(-bound, bound) : normalized).MoveToOuterDisposeScope();
    }
}
