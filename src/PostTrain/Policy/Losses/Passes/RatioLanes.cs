using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using PostTrain.Operators;

namespace PostTrain.Policy.Losses;

/// <summary>The ratio ρ of a row's tokens.</summary>
internal interface IRatioForm<T>
    where T : unmanaged
{
    /// <summary>True if every token of the row moves the ratio of all.</summary>
    bool Spreads { get; }

    /// <summary>The derivative of the row's log ρ by a token's log π.</summary>
    double Share { get; }

    /// <summary>Puts the row's ratio and its mask of log ρ beyond the bound in place of the tokens' own.</summary>
    void Replace(Vector256<T> counted, ref Vector256<T> ratio, ref Vector256<T> beyond);
}

/// <summary>Each token has a ratio of its own.</summary>
internal readonly struct TokenRatio<T> : IRatioForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    public bool Spreads => false;

    public double Share => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Replace(Vector256<T> counted, ref Vector256<T> ratio, ref Vector256<T> beyond) { }

    /// <summary>A mask of log ρ outside of its bound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Beyond(Vector256<T> logRatio) =>
        Vector256.GreaterThan(Vector256.Abs(logRatio), VectorMath.All<T>(KlDivergence.RatioBound));

    /// <summary>e^(log ρ) within the bound, and what remains of it without 1 + log ρ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> Of(Vector256<T> logRatio, out Vector256<T> rest) =>
        VectorMath.ExpWithin(VectorMath.Bounded(logRatio, KlDivergence.RatioBound), out _, out rest);
}

/// <summary>One ratio of all tokens of a row.</summary>
internal readonly unsafe struct RowRatio<T> : IRatioForm<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Vector256<T> all,
        isBeyond;

    internal RowRatio(RatioLevel level, in PolicyMemory<T> memory, long start)
    {
        Spreads = level is RatioLevel.Sequence or RatioLevel.SequenceSum;
        double length = level == RatioLevel.SequenceSum ? 1 : Math.Max(memory.Mask.Number(start, memory.Columns), 1);
        Share = 1 / length;
        var logRatio = VectorMath.All<T>(Difference(in memory, start) / length);
        isBeyond = TokenRatio<T>.Beyond(logRatio);
        all = TokenRatio<T>.Of(logRatio, out _);
    }

    public bool Spreads { get; }

    public double Share { get; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Replace(Vector256<T> counted, ref Vector256<T> ratio, ref Vector256<T> beyond)
    {
        ratio = Vector256.ConditionalSelect(counted, all, Vector256<T>.One);
        beyond = isBeyond & counted;
    }

    // Σ log π − log π_old over the counted tokens.
    private static double Difference(in PolicyMemory<T> memory, long start)
    {
        var sum = default(WideSum<T>);
        long end = start + memory.Columns;
        for (long i = start; i < end; i += Vector256<T>.Count)
            sum.Add(
                (VectorMath.Load(memory.LogProbs + i, end - i) - VectorMath.Load(memory.OldLogProbs + i, end - i))
                    & memory.Mask.Counted(i, end - i)
            );
        return sum.Total;
    }
}
