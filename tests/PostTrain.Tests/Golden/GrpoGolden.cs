using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>grpo.json: policy objectives with a KL term, aggregated in the ways that the reference calls loss types.</summary>
internal static class GrpoGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["grpo"] = new(Check),
            ["gmpo"] = new(Check),
            ["gspo_token"] = new(Check),
        };

    private static void Check(GoldenCase item)
    {
        var ids = item.Input("completion_ids");
        var mask = item.Input("completion_mask");
        if (item.HasInput("tool_mask"))
            mask = mask * item.Input("tool_mask");
        long first = item.Input("prompt_ids").shape[1] - 1;
        // The logits are given: what the model saw of the prompts is in them.
        Assert.Equal(item.Input("prompt_ids").shape, item.Input("prompt_mask").shape);
        var logits = item.Input("logits");
        Tensor Predicting(Tensor all) => all.narrow(1, first, ids.shape[1]) / item.Parameter("temperature", 1);
        Tensor LogProbs(Tensor all) => TokenLogProbs.Gather(Predicting(all), ids);

        var logProbs = LogProbs(logits);
        GoldenTolerance.Close(item.Expected("per_token_logps"), logProbs, "log-probs");
        var entropy = TokenLogProbs.Entropy(Predicting(logits));
        GoldenTolerance.Close(item.Expected("entropies"), entropy, "entropies");
        TensorAssert.Close(item.ExpectedNumber("metrics", "entropy"), Masked.Mean(entropy, mask), 1e-6, "mean entropy");

        var stored = item.Input("old_per_token_logps");
        var old = item.Flag("on_policy") ? logProbs : stored;
        Tensor Loss(Tensor x, Tensor certainty) => Evaluate(item, x, certainty, old, mask).Loss;
        var (loss, result) = Evaluate(item, logProbs, entropy, old, mask);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss, "loss");
        GoldenTolerance.Close(item.Gradient("per_token_logps"), Numbers.Gradient(x => Loss(x, entropy), logProbs), "gradient of log-probs");
        if (item.HasGradient("logits"))
            GoldenTolerance.Close(
                item.Gradient("logits"),
                Numbers.Gradient(x => Loss(LogProbs(x), TokenLogProbs.Entropy(Predicting(x))), logits),
                "gradient of logits"
            );
        if (item.HasExpected("per_token_loss"))
        {
            var expected = item.Expected("per_token_loss").expand_as(logProbs);
            GoldenTolerance.Close(Masked.Counted(expected, mask), result.TokenLosses, "per-token loss");
        }
        if (item.HasExpected("per_token_kl"))
            TensorAssert.Close(item.ExpectedNumber("metrics", "kl"), result.Kl, 1e-6, "mean KL");
        // The share of tokens; where the ratio is a sequence's, or capped from above, the reference counts something else.
        if (
            item.Text("loss_type") is "grpo" or "bnpo" or "dr_grpo" or "dapo"
            && item.Text("importance_sampling_level") == "token"
            && !item.HasParameter("delta")
            && item.Kind == "grpo"
        )
            TensorAssert.Close(item.ExpectedNumber("metrics", "clip_ratio/region_mean"), result.ClipFraction, 1e-6, "clip fraction");
    }

    private static (Tensor Loss, PolicyObjectiveLoss Result) Evaluate(
        GoldenCase item,
        Tensor logProbs,
        Tensor entropy,
        Tensor old,
        Tensor mask
    )
    {
        var advantages = item.Input("advantages");
        var weights = ones_like(logProbs);
        if (item.HasParameter("off_policy_mask_threshold"))
            weights =
                weights
                * CompletionMasks
                    .OnPolicySequences(logProbs, old, advantages, mask, item.Parameter("off_policy_mask_threshold", 0))
                    .unsqueeze(1);
        if (item.Parameter("top_entropy_quantile", 1) is < 1 and var share)
            weights = weights * CompletionMasks.TopEntropy(entropy, mask, share);
        var batch = new PolicyBatch(logProbs, old, advantages, mask)
        {
            ReferenceLogProbs = item.Input("ref_per_token_logps"),
            Entropy = entropy,
            Weights = weights,
            ImportanceWeights = Importance(item, mask),
        };
        double steps = item.Parameter("gradient_accumulation_steps", 1);
        if (!item.Flag("training"))
            steps = 1;
        return Evaluate(item, batch, steps, item.Parameter("num_items_in_batch", 0));
    }

    /// <summary>The loss that the case's loss type gives a micro-batch.</summary>
    /// <param name="item">Names the objective.</param>
    /// <param name="batch">The micro-batch.</param>
    /// <param name="steps">Micro-batches of an update, where the loss divides by them.</param>
    /// <param name="items">Tokens of all of them.</param>
    internal static (Tensor Loss, PolicyObjectiveLoss Result) Evaluate(GoldenCase item, PolicyBatch batch, double steps, double items)
    {
        var objective = Objective(item);
        string type = LossType(item);
        bool whole = type is "dapo" or "cispo" or "vespo";
        // The reference divides micro-batch means by the accumulation steps, except where it counts the whole batch's tokens.
        double denominator = whole ? items : objective.Aggregation.Denominator(batch.Mask) * steps;
        var result = objective.Loss(batch, denominator);
        return (type == "luspo" ? Luspo(item, objective, batch, steps) : result.Loss, result);
    }

    private static Tensor? Importance(GoldenCase item, Tensor mask)
    {
        if (!item.HasInput("importance_sampling_ratio"))
            return null;
        var ratio = item.Input("importance_sampling_ratio");
        // A column is one weight a sequence.
        if (ratio.dim() == 2 && ratio.shape[1] == 1 && mask.shape[1] > 1)
            return ratio.squeeze(1);
        if (item.Text("loss_type") != "vespo")
            return ratio.expand(mask.shape);
        // VESPO multiplies a row's ratios; the reference takes along what does not count (1 in its own runs, but not in this case).
        var others = ratio.masked_fill(mask != 0, 1).log().sum(1L).exp().unsqueeze(1);
        return where(mask.cumsum(1).eq(1), ratio * others, ratio);
    }

    // The reference averages loss·length over all B·T places, whether they count or not. With a sequence's ratio and no KL term that is
    // LUSPO; tokens' ratios and KL terms come into it from places that do not count, so they are given a mask of ones here.
    private static Tensor Luspo(GoldenCase item, PolicyObjective objective, PolicyBatch batch, double steps)
    {
        long columns = batch.Mask.shape[1];
        var (everywhere, lengths) = (ones_like(batch.Mask), batch.Mask.sum(1L).unsqueeze(1));
        var mean = LossAggregation.SequenceSum(columns);
        var loss =
            objective.Ratio == RatioLevel.Sequence
                ? (objective with { Beta = 0 }).Loss(batch, batch.Mask.shape[0] * steps).Loss
                : mean.Apply(
                    (objective with { Beta = 0 }).Loss(batch with { Mask = everywhere }).TokenLosses * lengths,
                    everywhere,
                    mean.Denominator(everywhere) * steps
                );
        if (objective.Beta == 0)
            return loss;
        var kl = KlDivergence.Estimate(batch.LogProbs, batch.ReferenceLogProbs!);
        return loss + mean.Apply(kl * lengths, everywhere, mean.Denominator(everywhere) * steps) * objective.Beta;
    }

    /// <summary>The aggregation's name in the reference; its default where a case has none.</summary>
    internal static string LossType(GoldenCase item) => item.Text("loss_type") ?? "dapo";

    internal static PolicyObjective Objective(GoldenCase item)
    {
        // Cases of other files leave out what has the peer's default value.
        double low = item.Parameter("epsilon_low", 0.2),
            high = item.Parameter("epsilon_high", 0.2);
        var clip = new ClipRange(low, high);
        // The reference lists the parameters of all loss types in every case.
        var (limit, calm, hot) = (
            (int)item.Parameter("max_completion_length", 0),
            item.Parameter("sapo_temperature_pos", 1),
            item.Parameter("sapo_temperature_neg", 1.05)
        );
        var plain = new VespoOptions();
        var shapes = new VespoOptions
        {
            PositiveShape = item.Parameter("vespo_k_pos", plain.PositiveShape),
            PositiveRate = item.Parameter("vespo_lambda_pos", plain.PositiveRate),
            NegativeShape = item.Parameter("vespo_k_neg", plain.NegativeShape),
            NegativeRate = item.Parameter("vespo_lambda_neg", plain.NegativeRate),
        };
        var named =
            item.Kind == "gmpo"
                ? PolicyObjectives.Gmpo(clip)
                : LossType(item) switch
                {
                    "grpo" => PolicyObjectives.Grpo(clip),
                    "bnpo" => PolicyObjectives.Bnpo(clip),
                    "dr_grpo" => PolicyObjectives.DrGrpo(limit, clip),
                    "dapo" => PolicyObjectives.Dapo(clip),
                    "cispo" => PolicyObjectives.Cispo(high),
                    "sapo" => PolicyObjectives.Sapo((float)calm, (float)hot), // float32 in the reference
                    "luspo" => PolicyObjectives.Luspo(clip),
                    "vespo" => PolicyObjectives.Vespo(shapes),
                    var other => throw new NotSupportedException($"loss_type is {other}, which no test knows"),
                };
        return named with
        {
            Ratio = (item.Text("importance_sampling_level") ?? "token") switch
            {
                "token" => RatioLevel.Token,
                "sequence" => RatioLevel.Sequence,
                "sequence_token" => RatioLevel.SequenceToken,
                var other => throw new NotSupportedException($"importance_sampling_level is {other}, which no test knows"),
            },
            Surrogate = item.HasParameter("delta") ? PolicySurrogate.TwoSided(clip, item.Parameter("delta", 0)) : named.Surrogate,
            Beta = item.Parameter("beta", 0),
            CorrectKl = item.Flag("use_bias_correction_kl"),
            EntropyCoefficient = item.Parameter("entropy_coef", 0),
            EntropyAggregation = LossType(item) is "dapo" or "cispo" or "vespo" ? null : LossAggregation.TokenMean,
        };
    }
}
