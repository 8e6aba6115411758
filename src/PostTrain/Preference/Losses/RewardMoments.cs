using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Running mean and variance of rewards, as BCO's shift needs them; a value: including rewards gives a new one.</summary>
/// <remarks>Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance": exact for any split into batches, in float64 (TRL
/// keeps float32).</remarks>
/// <param name="Count">Rewards seen.</param>
/// <param name="Mean">Their mean; 0 for none.</param>
/// <param name="SquaredDeviations">Σ(r − mean)².</param>
public readonly record struct RewardMoments(long Count, double Mean, double SquaredDeviations)
{
    /// <summary>Variance, divided by n; 0 for none.</summary>
    public double Variance => Count > 0 ? SquaredDeviations / Count : 0;

    /// <summary>Standard deviation, divided by n − 1; 0 for fewer than two.</summary>
    public double StandardDeviation => Count > 1 ? Math.Sqrt(SquaredDeviations / (Count - 1)) : 0;

    /// <summary>The moments of what was seen and these rewards.</summary>
    /// <param name="rewards">Any shape, floating point; may be empty.</param>
    public RewardMoments Include(Tensor rewards)
    {
        Guard.Floating(rewards, nameof(rewards));
        long added = rewards.numel();
        if (added == 0)
            return this;
        using var scope = NewDisposeScope();
        var values = rewards.detach().to_type(ScalarType.Float64);
        double mean = values.mean().ToDouble(),
            squares = (values - mean).square().sum().ToDouble();
        long total = Count + added;
        double difference = mean - Mean;
        return new RewardMoments(
            total,
            Mean + difference * added / total,
            SquaredDeviations + squares + difference * difference * Count * added / total
        );
    }
}
