using System.Numerics;
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
