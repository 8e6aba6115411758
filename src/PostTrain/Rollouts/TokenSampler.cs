using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using PostTrain.Rollouts.Logits;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Draws one token a row from logits, by the inverse of the cumulative distribution, on the logits' device.</summary>
internal sealed class TokenSampler : IDisposable
{
    // Colder, the likeliest token is drawn and the first of equal ones, as at 0: differences between scores that are smaller do not occur.
    private const double Coldest = 1e-30;

    private readonly SamplingOptions options;
    private readonly bool isGreedy;
    private readonly LogitShaping shaping;
    private readonly LogitPipeline pipeline;
    private readonly bool keepsMass;
    private readonly DirectDraw? direct;

    /// <param name="options">The sampling options.</param>
    /// <param name="vocabularySize">V.</param>
    /// <param name="device">Device of the logits.</param>
    /// <param name="keepsMass">True to compute what the truncation keeps.</param>
    public TokenSampler(SamplingOptions options, int vocabularySize, Device device, bool keepsMass = false)
    {
        (this.options, this.keepsMass) = (options, keepsMass);
        isGreedy = options.Temperature < Coldest;
        shaping = new LogitShaping(options, vocabularySize, device);
        pipeline = new LogitPipeline(options, vocabularySize, device);
        // Quotients of other temperatures may leave the range of float32.
        if ((isGreedy || options.Temperature is >= 1e-6 and <= 1e6) && (isGreedy || !pipeline.Truncates))
            direct = new DirectDraw(isGreedy ? 1 : options.Temperature, isGreedy, options.SuppressedTokens);
    }

    /// <summary>The same draw as <see cref="Draw"/> in one pass over the logits' memory.</summary>
    /// <param name="logits">[B,V].</param>
    /// <param name="generated">Tokens that the completions have so far.</param>
    /// <param name="uniforms">[B], in (0,1).</param>
    /// <param name="isLive">False for a row that is complete, whose logits do not matter.</param>
    /// <param name="replace">Puts other tokens in the place of the drawn ones; null where all stand.</param>
    /// <param name="logProbs">[B,T] of the logits' type: column <paramref name="generated"/> gets the tokens' log-probs.</param>
    /// <returns>The tokens; null where the options or the logits need <see cref="Draw"/>, and where a row's logits define no
    /// distribution.</returns>
    public long[]? DrawDirectly(
        Tensor logits,
        int generated,
        double[] uniforms,
        Func<int, bool> isLive,
        Action<long[]>? replace,
        Tensor logProbs
    )
    {
        if (direct is null || pipeline.Changes(generated) || !Fused.Takes(logits) || !logits.is_contiguous())
            return null;
        // A greedy draw at another temperature records that of the shaping.
        if (isGreedy && options.Temperature != 0)
            return null;
        return logits.dtype == ScalarType.Float32
            ? DrawDirectly<float>(logits, generated, uniforms, isLive, replace, logProbs)
            : DrawDirectly<double>(logits, generated, uniforms, isLive, replace, logProbs);
    }

    private unsafe long[]? DrawDirectly<T>(
        Tensor logits,
        int generated,
        double[] uniforms,
        Func<int, bool> isLive,
        Action<long[]>? replace,
        Tensor logProbs
    )
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var (rows, count) = (uniforms.Length, (int)logits.size(1));
        var (tokens, norms) = (new long[rows], new DirectDraw.Norm[rows]);
        T* from = TensorMemory.Address<T>(logits);
        Workers.Run(rows, (long)rows * count, row => tokens[row] = direct!.Token(from + row * count, count, uniforms[row], out norms[row]));
        for (var row = 0; row < rows; row++)
        {
            if (tokens[row] < 0 && isLive(row))
                return null;
            tokens[row] = Math.Max(0, tokens[row]);
        }
        replace?.Invoke(tokens);
        var width = logProbs.size(1);
        T* to = TensorMemory.Address<T>(logProbs);
        for (var row = 0; row < rows; row++)
            Scalars.Set(to + row * width + generated, direct!.LogProb(from[row * count + tokens[row]], (int)tokens[row], norms[row]));
        return tokens;
    }

    /// <summary>Draws.</summary>
    /// <param name="logits">[B,V].</param>
    /// <param name="ids">The contexts, [B,L].</param>
    /// <param name="mask">[B,L].</param>
    /// <param name="generated">Tokens that the completions have so far.</param>
    /// <param name="uniforms">[B,1] float64, in (0,1).</param>
    /// <param name="check">Told of the scores, [B,V], after biases, penalties, bans and processors, where there are any, and asked with
    /// which names the options of a row ban.</param>
    /// <param name="replace">Gives the tokens that stand in place of the drawn ones, both [B,1]; null where all stand.</param>
    /// <returns>The tokens, [B,1] int64, their log-probs, [B,1], under the suppressed and tempered distribution before penalties, bans
    /// and truncation, and the probability of that distribution that the truncation kept, [B,1]; null where it was not asked for, nothing
    /// was cut off, or other options changed the distribution.</returns>
    public (Tensor Tokens, Tensor LogProbs, Tensor? KeptMass) Draw(
        Tensor logits,
        Tensor ids,
        Tensor mask,
        int generated,
        Tensor uniforms,
        Action<Tensor, Func<int, IReadOnlyList<string>>> check,
        Func<Tensor, Tensor>? replace = null
    )
    {
        using var scope = NewDisposeScope();
        var shaped = shaping.Apply(logits);
        var logProbs = shaped.log_softmax(-1);
        // A model that gives −∞ itself may leave suppressed tokens only.
        if (options.SuppressedTokens.Count > 0 && !pipeline.Changes(generated))
            check(shaped, row => pipeline.Bans(logits, ids, mask, generated, row));
        var weights = Weights(logits, logProbs, ids, mask, generated, check);
        var tokens = isGreedy ? weights.argmax(-1, keepdim: true) : Inverse(weights, uniforms);
        if (replace is not null)
            tokens = replace(tokens);
        var mass =
            keepsMass && pipeline.Truncates && !isGreedy && !pipeline.Changes(generated) ? weights.exp().sum(-1, keepdim: true) : null;
        return (tokens.MoveToOuterDisposeScope(), logProbs.gather(1, tokens).MoveToOuterDisposeScope(), mass?.MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        shaping.Dispose();
        pipeline.Dispose();
    }

    // Log-weights of the draw, not normalised in general.
    private Tensor Weights(
        Tensor logits,
        Tensor logProbs,
        Tensor ids,
        Tensor mask,
        int generated,
        Action<Tensor, Func<int, IReadOnlyList<string>>> check
    )
    {
        var truncates = pipeline.Truncates && !isGreedy;
        if (!pipeline.Changes(generated))
            return truncates ? pipeline.Truncate(logProbs) : logProbs;
        var scores = pipeline.Process(logits.to_type(logProbs.dtype), ids, mask, generated);
        check(scores, row => pipeline.Bans(logits.to_type(logProbs.dtype), ids, mask, generated, row));
        if (options.Temperature is not (0 or 1))
            scores = LogitProcessors.Temperature(scores, options.Temperature);
        scores = scores.log_softmax(-1);
        return truncates ? pipeline.Truncate(scores) : scores;
    }

    // The first index whose cumulative weight is over u times the total. It has a weight of its own, so that a suppressed token never comes
    // out; float64 and CounterRandom's coarse u keep u times the total under the total. The clamp is for rows that are complete, which may
    // hold NaN.
    private static Tensor Inverse(Tensor logWeights, Tensor uniforms)
    {
        var cumulative = logWeights.to_type(ScalarType.Float64).exp().cumsum(-1);
        var last = cumulative.size(1) - 1;
        var targets = cumulative.narrow(1, last, 1) * uniforms;
        return searchsorted(cumulative, targets, right: true).clamp_max(last);
    }
}

/// <summary>Draws a token from a row of logits in memory: temperature, suppressed tokens, softmax and the inverse of the cumulative
/// distribution, without tensors in between.</summary>
/// <param name="temperature">Divisor of the logits.</param>
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
    /// <param name="norm">The normaliser for <see cref="LogProb"/>.</param>
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
