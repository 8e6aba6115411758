using PostTrain.Numerics;
using PostTrain.Policy.Estimators;

namespace PostTrain.Policy;

/// <summary>DAPO's soft overlong punishment (arXiv:2503.14476, eq. 13), added to the rewards: see
/// <see cref="TokenRewards.Overlong"/>.</summary>
public sealed record OverlongPenalty
{
    /// <summary>Tokens over which the penalty grows from 0 to its full size: 1 to the limit.</summary>
    public required int Buffer { get; init; }

    /// <summary>The length with the full penalty.</summary>
    /// <value>The default, null, is <see cref="Rollouts.SamplingOptions.MaxNewTokens"/>.</value>
    public int? Limit { get; init; }

    /// <summary>The full penalty, at least 0.</summary>
    /// <value>The default is 1.</value>
    public double Weight { get; init; } = 1;

    internal void Validate(int maxNewTokens)
    {
        int limit = Limit ?? maxNewTokens;
        Guard.AtLeast(limit, 1, $"Overlong.{nameof(Limit)}");
        Guard.AtLeast(Buffer, 1, $"Overlong.{nameof(Buffer)}");
        Guard.AtLeast(limit - Buffer, 0, "Overlong.Limit − Overlong.Buffer");
        Guard.NotNegative(Weight, $"Overlong.{nameof(Weight)}");
    }
}
