using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;

namespace PostTrain.Rollouts;

/// <summary>Draws a token from a row of logits in memory: temperature, suppressed tokens, softmax and the inverse of the cumulative
/// distribution, without tensors in between.</summary>
/// <param name="temperature">What logits are divided by.</param>
/// <param name="isGreedy">The first of the likeliest tokens instead of a draw.</param>
/// <param name="suppressed">Tokens of probability 0.</param>
internal sealed unsafe class DirectDraw(double temperature, bool isGreedy, IReadOnlyList<int> suppressed)
{
    // Weights whose sum is looked at before a single one.
    private const int Block = 64;

    private readonly int[] suppressed = [.. suppressed];

    /// <summary>The highest shaped logit of a row, and the logarithm of Σ e^(z − highest).</summary>
    internal readonly record struct Norm(double Highest, double LogSum);

    /// <summary>A row's token; −1 where its logits define no distribution: they hold NaN or +∞, or are all −∞.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="count">V.</param>
    /// <param name="uniform">In (0,1).</param>
    /// <param name="norm">What <see cref="LogProb"/> asks for.</param>
    internal int Token<T>(T* logits, int count, double uniform, out Norm norm)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var memory = Scratch.Take((nuint)(2L * count) * (nuint)sizeof(T));
        T* weights = (T*)memory.Address;
        T* shaped = logits;
        norm = default;
        if (temperature != 1 || suppressed.Length > 0)
        {
            shaped = weights + count;
            Shape(logits, shaped, count);
        }
        var highest = SoftmaxRow.Max(shaped, count);
        if (!double.IsFinite(highest))
            return -1;
        var sum = SoftmaxRow.Sum(shaped, highest, count, weights, false, out _);
        norm = new Norm(highest, Math.Log(sum));
        return isGreedy ? new ReadOnlySpan<T>(shaped, count).IndexOf(VectorMath.Number<T>(highest)) : Inverse(weights, count, uniform);
    }

    /// <summary>log π of a token of a row with this norm.</summary>
    internal double LogProb<T>(T logit, int token, Norm norm)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        suppressed.AsSpan().Contains(token)
            ? double.NegativeInfinity
            : double.CreateTruncating(logit / VectorMath.Number<T>(temperature)) - norm.Highest - norm.LogSum;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Shape<T>(T* logits, T* to, int count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var divisor = Vector256.Create(VectorMath.Number<T>(temperature));
        for (var i = 0; i < count; i += Vector256<T>.Count)
            VectorMath.Store(to + i, VectorMath.Load(logits + i, count - i) / divisor, count - i);
        foreach (var token in suppressed)
            to[token] = T.NegativeInfinity;
    }

    // The first index whose cumulative weight is over u times the total; it has a weight of its own, so a suppressed token never comes out.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Inverse<T>(T* weights, int count, double uniform)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        double total = 0;
        for (var start = 0; start < count; start += Block)
            total += Sum(weights + start, Math.Min(Block, count - start));
        var target = uniform * total;
        double before = 0;
        var last = -1;
        for (var start = 0; start < count; start += Block)
        {
            var length = Math.Min(Block, count - start);
            var own = Sum(weights + start, length);
            if (before + own > target)
            {
                var cumulative = before;
                for (var i = start; i < start + length; i++)
                {
                    var weight = Scalars.Get(weights + i);
                    if (!(weight > 0))
                        continue;
                    last = i;
                    if ((cumulative += weight) > target)
                        return i;
                }
                // The sum of the block in another order was over the target by rounding alone.
                return last;
            }
            before += own;
        }
        for (var i = count - 1; i > 0; i--)
        {
            if (Scalars.Get(weights + i) > 0)
                return i;
        }
        return 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Sum<T>(T* values, int count)
        where T : unmanaged
    {
        var sum = Vector256<double>.Zero;
        for (var i = 0; i < count; i += Lanes.Count)
            sum += Lanes.Load(values + i, count - i);
        return Vector256.Sum(sum);
    }
}
