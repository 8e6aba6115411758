using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>grpo.json: clipped surrogate + β·k3, aggregated in the ways that the reference calls loss types.</summary>
internal static class GrpoGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } = new Dictionary<string, GoldenKind> { ["grpo"] = new(Check, Feature) };

    private static string? Feature(GoldenCase item)
    {
        string type = item.Text("loss_type")!;
        return type is not ("grpo" or "bnpo" or "dr_grpo" or "dapo") ? type
            : item.Text("importance_sampling_level") != "token" ? "sequence-level ratio"
            : item.HasParameter("delta") ? "delta"
            : item.Flag("use_bias_correction_kl") ? "ratio-weighted KL"
            : item.Parameter("entropy_coef", 0) != 0 ? "entropy bonus"
            : item.HasParameter("off_policy_mask_threshold") ? "off-policy mask"
            : item.Parameter("top_entropy_quantile", 1) != 1 ? "top-entropy mask"
            : item.HasInput("importance_sampling_ratio") ? "importance_sampling_ratio"
            : null;
    }

    private static void Check(GoldenCase item)
    {
        var ids = item.Input("completion_ids");
        var mask = item.Input("completion_mask");
        if (item.HasInput("tool_mask")) mask = mask * item.Input("tool_mask");
        long first = item.Input("prompt_ids").shape[1] - 1;
        var logits = item.Input("logits");
        Tensor Predicting(Tensor all) => all.narrow(1, first, ids.shape[1]) / item.Parameter("temperature", 1);
        Tensor LogProbs(Tensor all) => TokenLogProbs.Gather(Predicting(all), ids);

        var logProbs = LogProbs(logits);
        GoldenTolerance.Close(item.Expected("per_token_logps"), logProbs, "log-probs");
        var entropy = TokenLogProbs.Entropy(Predicting(logits));
        GoldenTolerance.Close(item.Expected("entropies"), entropy, "entropies");

        var old = item.Flag("on_policy") ? logProbs : item.Input("old_per_token_logps");
        var (loss, perToken, policy) = Loss(item, logProbs, old, mask);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss, "loss");
        GoldenTolerance.Close(Masked.Counted(item.Expected("per_token_loss"), mask), perToken, "per-token loss");
        // The reference's metrics went through float32.
        TensorAssert.Close(item.ExpectedNumber("metrics", "clip_ratio/region_mean"), policy.ClipFraction, 1e-6, "clip fraction");
        TensorAssert.Close(item.ExpectedNumber("metrics", "entropy"), Masked.Mean(entropy, mask), 1e-6, "mean entropy");
        GoldenTolerance.Close(item.Gradient("per_token_logps"), Numbers.Gradient(leaf => Loss(item, leaf, old, mask).Loss, logProbs), "gradient of log-probs");
        if (item.HasGradient("logits"))
            GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(leaf => Loss(item, LogProbs(leaf), old, mask).Loss, logits), "gradient of logits");
    }

    private static (Tensor Loss, Tensor PerToken, PolicyLoss Policy) Loss(GoldenCase item, Tensor logProbs, Tensor old, Tensor mask)
    {
        var clip = new ClipRange(item.Parameter("epsilon_low", 0), item.Parameter("epsilon_high", 0));
        var policy = PolicyLosses.ClippedSurrogate(logProbs, old, item.Input("advantages"), mask, clip);
        var perToken = policy.TokenLosses;
        if (item.Parameter("beta", 0) is > 0 and var beta)
        {
            var kl = KlDivergence.Estimate(logProbs, item.Input("ref_per_token_logps"), mask);
            GoldenTolerance.Close(Masked.Counted(item.Expected("per_token_kl"), mask), kl, "per-token KL");
            perToken = perToken + kl * beta;
        }
        var aggregation = item.Text("loss_type") switch
        {
            "grpo" => LossAggregation.SequenceMean,
            "dr_grpo" => LossAggregation.SequenceSum(item.Parameter("max_completion_length", 0)),
            _ => LossAggregation.TokenMean,
        };
        // The reference divides micro-batch means by the accumulation steps, except where it counts the whole batch's tokens.
        double denominator = item.Text("loss_type") == "dapo" ? item.Parameter("num_items_in_batch", 0)
            : aggregation.Denominator(mask) * (item.Flag("training") ? item.Parameter("gradient_accumulation_steps", 1) : 1);
        return (aggregation.Apply(perToken, mask, denominator), perToken, policy);
    }
}
