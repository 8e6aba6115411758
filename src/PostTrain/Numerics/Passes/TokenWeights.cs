using PostTrain.Operators;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Weight of each token of a row in an aggregation: what a gradient is multiplied by.</summary>
internal readonly struct TokenWeights
{
    private readonly bool bySequence;

    private TokenWeights(double divisor, bool bySequence) => (Divisor, this.bySequence) = (divisor, bySequence);

    /// <summary>The final divisor of the sum.</summary>
    internal double Divisor { get; }

    internal static TokenWeights Of<T>(LossAggregation? aggregation, double? denominator, Tensor mask, MaskPointer<T> pointer)
        where T : unmanaged
    {
        Check(aggregation);
        aggregation ??= LossAggregation.TokenMean;
        double given =
            denominator
            ?? (aggregation is LossAggregation.TokenMeanAggregation ? pointer.Sum(0, mask.numel()) : aggregation.Denominator(mask));
        return new TokenWeights(given > 0 ? given : 1, aggregation is LossAggregation.SequenceMeanAggregation);
    }

    /// <summary>True if the weights of an aggregation are known: all but those of one's own.</summary>
    internal static bool Takes(LossAggregation? aggregation) => aggregation is not LossAggregation.OwnAggregation;

    /// <summary>Refuses an aggregation whose weights are not known.</summary>
    internal static void Check(LossAggregation? aggregation)
    {
        if (!Takes(aggregation))
            throw new NotSupportedException($"the aggregation {aggregation} has no kernel; LossAggregation.Apply has it");
    }

    /// <summary>The weight of a token of a row, before <see cref="Divisor"/>.</summary>
    internal double OfRow<T>(MaskPointer<T> mask, long start, long length)
        where T : unmanaged => bySequence ? 1 / Math.Max(mask.Sum(start, length), 1) : 1;

    /// <summary>The weight of a token of each row, before <see cref="Divisor"/>.</summary>
    internal double[] OfRows<T>(MaskPointer<T> mask, long rows, long columns)
        where T : unmanaged
    {
        var weights = new double[rows];
        for (long row = 0; row < rows; row++)
            weights[row] = OfRow(mask, row * columns, columns);
        return weights;
    }

    /// <summary>Adds up the losses of the counted tokens, and returns the share of these at which a flag is set.</summary>
    /// <param name="mask">[B,T].</param>
    /// <param name="losses">[B,T], before weights.</param>
    /// <param name="flags">[B·T].</param>
    /// <param name="weights">Of the rows: see <see cref="OfRows"/>.</param>
    internal unsafe (double Loss, double Share) AddUp<T>(MaskPointer<T> mask, T* losses, bool[] flags, double[] weights)
        where T : unmanaged
    {
        long columns = flags.Length / Math.Max(weights.Length, 1);
        var (total, set, number) = (0.0, 0.0, 0.0);
        for (long token = 0; token < flags.Length; token++)
        {
            double counted = mask.Get(token);
            number += counted;
            if (counted == 0)
                continue;
            total += Scalars.Get(losses + token) * weights[token / columns];
            if (flags[token])
                set++;
        }
        return (total / Divisor, set / Math.Max(number, 1));
    }
}
