using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Draws one token a row from logits, by the inverse of the cumulative distribution, on the logits' device.</summary>
internal sealed class TokenSampler : IDisposable
{
    private readonly SamplingOptions options;
    private readonly LogitShaping shaping;

    public TokenSampler(SamplingOptions options, int vocabularySize, Device device)
    {
        this.options = options;
        shaping = new LogitShaping(options, vocabularySize, device);
    }

    /// <summary>Draws.</summary>
    /// <param name="logits">[B,V].</param>
    /// <param name="uniforms">[B,1] float64, in (0,1).</param>
    /// <returns>The tokens, [B,1] int64, and their log-probs, [B,1], under the suppressed and tempered distribution before top-k and top-p.</returns>
    public (Tensor Tokens, Tensor LogProbs) Draw(Tensor logits, Tensor uniforms)
    {
        using var scope = NewDisposeScope();
        var logProbs = shaping.Apply(logits).log_softmax(-1);
        var tokens = options.Temperature == 0 ? logProbs.argmax(-1, keepdim: true)
            : options.TopK == 0 && options.TopP == 1 ? Inverse(logProbs, uniforms)
            : Truncated(logProbs, uniforms);
        return (tokens.MoveToOuterDisposeScope(), logProbs.gather(1, tokens).MoveToOuterDisposeScope());
    }

    public void Dispose() => shaping.Dispose();

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
