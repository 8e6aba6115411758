using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>logprobs.json; its gradients are those of Σ weight · output.</summary>
internal static class LogProbsGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["selective_log_softmax"] = new(SelectiveLogSoftmax),
            ["entropy"] = new(item => Check(item, "entropy", TokenLogProbs.Entropy)),
            ["batch_logps"] = new(BatchLogProbs),
            ["chunked_logprob"] = new(Chunked),
        };

    private static void Chunked(GoldenCase item)
    {
        var (hidden, weight, targets) = (item.Input("hidden"), item.Input("lm_head_weight"), item.Input("targets"));
        var transform = new LogitTransform
        {
            Scale = item.Parameter("logit_scale", 1),
            SoftCap = item.HasParameter("final_logit_softcapping") ? item.Parameter("final_logit_softcapping", 0) : null,
            Temperature = item.Parameter("temperature", 1),
        };
        // The reference's chunks are of the vocabulary, ours of positions; neither may change anything.
        foreach (int chunkSize in new[] { 1, 3, (int)item.Parameter("chunk_size", 1) })
        {
            ChunkedTokens Gather(Tensor h, Tensor w) =>
                ChunkedLogProbs.Gather(h, w, targets, ones_like(targets), null, transform, chunkSize);
            var tokens = Gather(hidden, weight);
            GoldenTolerance.Close(item.Expected("logps"), tokens.LogProbs, "logps");
            GoldenTolerance.Close(item.Expected("entropy"), tokens.Entropies, "entropy");
            GoldenTolerance.Close(
                item.Gradient("hidden"),
                Numbers.Gradient(h => (Gather(h, weight).LogProbs * item.Input("weight")).sum(), hidden),
                "gradient of hidden"
            );
            GoldenTolerance.Close(
                item.Gradient("lm_head_weight"),
                Numbers.Gradient(w => (Gather(hidden, w).LogProbs * item.Input("weight")).sum(), weight),
                "gradient of the weight"
            );
        }
        var logits = transform.Apply(hidden.matmul(weight.t()));
        GoldenTolerance.Close(item.Expected("logps"), TokenLogProbs.Gather(logits, targets), "logps from the logits");
        GoldenTolerance.Close(item.Expected("entropy"), TokenLogProbs.Entropy(logits), "entropy from the logits");
    }

    private static void SelectiveLogSoftmax(GoldenCase item)
    {
        var index = item.Input("index");
        Check(
            item,
            "logps",
            logits =>
            {
                // Some cases ask for several tokens a position.
                if (index.dim() == logits.dim())
                    logits = logits.unsqueeze(-2).expand([.. index.shape, logits.shape[^1]]);
                return TokenLogProbs.Gather(logits, index);
            }
        );
    }

    // Labels shift inside: the logits at t predict the label at t + 1, and −100 does not count.
    private static void BatchLogProbs(GoldenCase item)
    {
        var labels = item.Input("labels");
        var targets = labels.narrow(1, 1, labels.shape[1] - 1);
        var mask = targets != -100;
        Check(
            item,
            "logps",
            logits =>
            {
                var logProbs = TokenLogProbs.Gather(logits.narrow(1, 0, targets.shape[1]), targets, mask);
                return item.Flag("average_log_prob") ? Masked.Mean(logProbs, mask, 1) : Masked.Sum(logProbs, mask, 1);
            }
        );
    }

    private static void Check(GoldenCase item, string output, Func<Tensor, Tensor> function)
    {
        var logits = item.Input("logits");
        GoldenTolerance.Close(item.Expected(output), function(logits), output);
        var weight = item.Input("weight");
        if (!item.HasGradient("logits"))
            return;
        var gradient = Numbers.Gradient(leaf => (function(leaf) * weight).sum(), logits);
        if (logits.dtype != ScalarType.Float32 || logits.abs().max().ToDouble() < 1000)
        {
            GoldenTolerance.Close(item.Gradient("logits"), gradient, "gradient of logits");
            return;
        }
        // The reference subtracts a logsumexp that float32 has rounded to half a unit of 1e4's last place. Ours has to be right all the
        // same.
        TensorAssert.Close(item.Gradient("logits"), gradient, 5e-4, "gradient of logits");
        var exact = Numbers.Gradient(
            leaf => (function(leaf) * weight.to_type(ScalarType.Float64)).sum(),
            logits.to_type(ScalarType.Float64)
        );
        TensorAssert.Close(exact, gradient, 1e-6, "gradient of logits against float64");
    }
}
