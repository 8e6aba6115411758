using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Draws one token a row from logits, by the inverse of the cumulative distribution, on the logits' device.</summary>
internal sealed class TokenSampler : IDisposable
{
    private readonly SamplingOptions options;
    private readonly Tensor? suppression;

    public TokenSampler(SamplingOptions options, int vocabularySize, Device device)
    {
        this.options = options;
        if (options.SuppressedTokens.Count == 0)
            return;
        var bias = new float[vocabularySize];
        foreach (var id in options.SuppressedTokens)
            bias[id] = float.NegativeInfinity;
        suppression = tensor(bias, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
    }

    /// <summary>Draws.</summary>
    /// <param name="logits">[B,V].</param>
    /// <param name="uniforms">[B,1] float64, in (0,1).</param>
    /// <returns>The tokens, [B,1] int64, and their log-probs, [B,1], under the suppressed and tempered distribution before top-k and top-p.</returns>
    public (Tensor Tokens, Tensor LogProbs) Draw(Tensor logits, Tensor uniforms)
    {
        using var scope = NewDisposeScope();
        // Half types have too few digits for a distribution over many tokens.
        var scores = logits.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? logits.to_type(ScalarType.Float32) : logits;
        if (suppression is not null)
            scores = scores + suppression;
        var greedy = options.Temperature == 0;
        if (!greedy && options.Temperature != 1)
            scores = scores / options.Temperature;
        var logProbs = scores.log_softmax(-1);
        var tokens = greedy ? logProbs.argmax(-1, keepdim: true)
            : options.TopK == 0 && options.TopP == 1 ? Inverse(logProbs, uniforms)
            : Truncated(logProbs, uniforms);
        return (tokens.MoveToOuterDisposeScope(), logProbs.gather(1, tokens).MoveToOuterDisposeScope());
    }

    public void Dispose() => suppression?.Dispose();

    private Tensor Truncated(Tensor logProbs, Tensor uniforms)
    {
        var count = logProbs.size(1);
        var (values, ids) = options.TopK > 0 && options.TopK < count
            ? logProbs.topk(options.TopK, dim: -1)
            : logProbs.sort(dim: -1, descending: true, stable: true);
        if (options.TopP < 1)
        {
            // A token stays when those before it have not reached p yet: the first always does. Seven digits are what float32 logits give.
            var probabilities = values.to_type(ScalarType.Float64).softmax(-1);
            var before = probabilities.cumsum(-1) - probabilities;
            values = values.masked_fill(before.ge(options.TopP * (1 - 1e-7)), double.NegativeInfinity);
        }

        return ids.gather(1, Inverse(values, uniforms));
    }

    // The first index whose cumulative weight is over u times the total. It has a weight of its own, so that a suppressed token never comes out;
    // float64 and CounterRandom's coarse u keep u times the total under the total. The clamp is for NaN logits, whose log-prob then tells.
    private static Tensor Inverse(Tensor logWeights, Tensor uniforms)
    {
        var cumulative = logWeights.to_type(ScalarType.Float64).exp().cumsum(-1);
        var last = cumulative.size(1) - 1;
        var targets = cumulative.narrow(1, last, 1) * uniforms;
        return searchsorted(cumulative, targets, right: true).clamp_max(last);
    }
}
