using PostTrain.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>advantages.json.</summary>
internal static class AdvantagesGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } = new Dictionary<string, GoldenKind> { ["grpo_advantages"] = new(Check, Feature) };

    private static string? Feature(GoldenCase item)
    {
        if (item.Text("multi_objective_aggregation") != "sum_then_normalize") return "normalize_then_sum";
        using var scope = NewDisposeScope();
        return item.Input("rewards_per_func").isnan().all(1).any().ToBoolean() ? "rows without any reward" : null;
    }

    private static void Check(GoldenCase item)
    {
        var rewards = item.Input("rewards_per_func");
        var weights = tensor(item.Numbers("reward_weights")).to_type(rewards.dtype);
        // A reward function that does not apply to a completion says NaN and adds nothing.
        var total = (rewards.masked_fill(rewards.isnan(), 0) * weights).sum(1);
        var scaling = item.Text("scale_rewards") switch
        {
            "group" => GroupScaling.Group,
            "batch" => GroupScaling.Batch,
            "none" => GroupScaling.None,
            var other => throw new NotSupportedException($"scale_rewards is {other}, expected group, batch or none"),
        };
        var advantages = Advantages.GroupRelative(total, (int)item.Parameter("num_generations", 0), scaling);
        // The reference has a float32 constant in it.
        TensorAssert.Close(item.Expected("advantages"), advantages, rewards.dtype == ScalarType.Float64 ? 1e-7 : 3e-5, "advantages");
    }
}
