using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>advantages.json.</summary>
internal static class AdvantagesGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["grpo_advantages"] = new(Group),
            ["rloo_advantages"] = new(LeaveOneOut),
            ["rloo_loss"] = new(RlooLoss),
            ["importance_sampling_ratio"] = new(Importance),
            ["mask_truncated_completions"] = new(Truncated),
        };

    // The reference has a float32 constant in it.
    private static void Close(Tensor expected, Tensor actual) =>
        TensorAssert.Close(expected, actual, actual.dtype == ScalarType.Float64 ? 1e-7 : 3e-5, "advantages");

    private static void Group(GoldenCase item)
    {
        var rewards = item.Input("rewards_per_func");
        int size = (int)item.Parameter("num_generations", 0);
        var scaling = item.Text("scale_rewards") switch
        {
            "group" => GroupScaling.Group,
            "batch" => GroupScaling.Batch,
            "none" => GroupScaling.None,
            var other => throw new NotSupportedException($"scale_rewards is {other}, expected group, batch or none"),
        };
        var (total, scored) = Total(item, rewards);
        // Normalised components are normalised in their groups whatever the scaling of a sum would be.
        Close(
            item.Expected("advantages"),
            item.Text("multi_objective_aggregation") switch
            {
                "sum_then_normalize" => Advantages.GroupRelative(total, size, scaling, scored: scored),
                "normalize_then_sum" => Advantages.PerComponent(
                    rewards,
                    item.Numbers("reward_weights"),
                    size,
                    scored: rewards.isnan().logical_not()
                ),
                var other => throw new NotSupportedException(
                    $"multi_objective_aggregation is {other}, expected sum_then_normalize or normalize_then_sum"
                ),
            }
        );
    }

    // A reward function that does not apply to a completion says NaN and adds nothing.
    private static (Tensor Total, Tensor Scored) Total(GoldenCase item, Tensor rewards)
    {
        var weights = tensor(item.Numbers("reward_weights")).to_type(rewards.dtype);
        return ((rewards.masked_fill(rewards.isnan(), 0) * weights).sum(1L), rewards.isnan().all(1).logical_not());
    }

    private static void LeaveOneOut(GoldenCase item)
    {
        var rewards = item.Input("rewards_per_func");
        var (total, scored) = Total(item, rewards);
        if (item.HasParameter("reward_clip_range"))
            total = total.clamp(item.Numbers("reward_clip_range")[0], item.Numbers("reward_clip_range")[1]);
        var mask = item.Input("completion_mask");
        var kl = KlDivergence.Estimate(item.Input("old_per_token_logps"), item.Input("ref_per_token_logps"), mask, KlEstimator.K1).sum(1L);
        total = total - kl * item.Parameter("beta", 0);
        var advantages = Advantages.LeaveOneOut(total, (int)item.Parameter("num_generations", 0), scored);
        if (item.Flag("normalize_advantages"))
            advantages = Advantages.Standardized(advantages, scored: scored);
        Close(item.Expected("advantages"), advantages);
        GoldenTolerance.Close(item.Expected("old_logps"), Masked.Sum(item.Input("old_per_token_logps"), mask, 1), "log-probs of sequences");
    }

    private static void RlooLoss(GoldenCase item)
    {
        var (ids, mask, logits) = (item.Input("completion_ids"), item.Input("completion_mask"), item.Input("logits"));
        long first = item.Input("prompt_ids").shape[1] - 1;
        Tensor LogProbs(Tensor all) => TokenLogProbs.Gather(all.narrow(1, first, ids.shape[1]) / item.Parameter("temperature", 1), ids);
        // The case gives the sums only: all of an old sum at the first token makes the same ratio.
        var old = TokenRewards.AtLastToken(item.Input("old_logps"), mask);
        var objective = PolicyObjectives.Rloo(new ClipRange(item.Parameter("epsilon_low", 0), item.Parameter("epsilon_high", 0)));
        PolicyObjectiveLoss Loss(Tensor logProbs) => objective.Loss(new PolicyBatch(logProbs, old, item.Input("advantages"), mask));
        var logProbs = LogProbs(logits);
        GoldenTolerance.Close(item.Expected("logps"), Masked.Sum(logProbs, mask, 1), "log-probs of sequences");
        GoldenTolerance.Close(item.Expected("coef_1"), (Masked.Sum(logProbs, mask, 1) - item.Input("old_logps")).exp(), "ratios");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), Loss(logProbs).Loss, "loss");
        GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(x => Loss(LogProbs(x)).Loss, logits), "gradient of logits");
        // Every counted token of a sequence has the gradient of the sequence's sum.
        var gradient = Numbers.Gradient(x => Loss(x).Loss, logProbs);
        GoldenTolerance.Close(
            Masked.Counted(item.Gradient("logps").unsqueeze(1).expand_as(gradient), mask),
            gradient,
            "gradient of sequences"
        );
    }

    private static void Importance(GoldenCase item)
    {
        var mask = item.Input("completion_mask");
        if (item.HasInput("tool_mask"))
            mask = mask * item.Input("tool_mask");
        string mode = item.Text("mode")!;
        if (mode is not ("token_mask" or "token_truncate" or "sequence_mask" or "sequence_truncate"))
            throw new NotSupportedException($"mode is {mode}, expected token_mask, token_truncate, sequence_mask or sequence_truncate");
        var correction = new ImportanceCorrection(
            item.Parameter("clip_max", 0),
            item.Parameter("clip_min", 0),
            mode.EndsWith("mask", StringComparison.Ordinal),
            mode.StartsWith("sequence", StringComparison.Ordinal)
        );
        var weights = correction.Weights(item.Input("old_per_token_logps"), item.Input("sampling_per_token_logps"), mask);
        // The reference gives 1 where nothing counts; ours is 0. One weight a sequence is a column there, a vector here.
        var expected = item.Expected("importance_sampling_ratio");
        GoldenTolerance.Close(correction.WholeSequences ? expected.squeeze(1) : Masked.Counted(expected, mask), weights, "weights");
        Assert.Equal(item.ExpectedNumber("num_items_in_batch"), mask.sum().ToDouble());
        // The reference's metrics went through float32.
        TensorAssert.Close(
            item.ExpectedNumber("metrics", "sampling/importance_sampling_ratio/mean"),
            correction.WholeSequences ? weights.mean() : Masked.Mean(weights, mask),
            1e-6,
            "mean weight"
        );
    }

    private static void Truncated(GoldenCase item)
    {
        var (rows, padding) = (item.InputRows("completion_ids"), (long)item.Parameter("pad_token_id", -1));
        int columns = rows.Max(row => row.Length);
        var ids = tensor(rows.SelectMany(row => row.Concat(Enumerable.Repeat(padding, columns - row.Length))).ToArray())
            .reshape(rows.Length, columns);
        TensorAssert.Same(item.Expected("completion_ids"), ids, "ids");
        var finished = tensor(rows.Select(row => row[^1] == (long)item.Parameter("eos_token_id", -1) || row[^1] == padding).ToArray());
        var mask = CompletionMasks.WithoutUnfinished(Numbers.Mask(columns, [.. rows.Select(row => row.Length)]), finished);
        TensorAssert.Close(item.Expected("completion_mask"), mask, 0, "mask");
        Assert.Equal(item.ExpectedNumber("num_items_in_batch"), mask.sum().ToDouble());
    }
}
