using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>verl.json, kind advantages. Its groups have several sizes, ours one: each group is computed apart.</summary>
internal static class VerlAdvantagesGolden
{
    internal static void Check(GoldenCase item)
    {
        var (rewards, mask) = (item.Input("token_level_rewards"), item.Input("response_mask"));
        var scores = rewards.sum(1L);
        string estimator = item.Text("estimator")!;
        var advantages = estimator switch
        {
            "grpo" => Spread(Groups(item, scores, item.Flag("norm_adv_by_std_in_grpo") ? Scaled : Centred), mask),
            "grpo_passk" => Spread(PassAtK(item, scores), mask),
            "rloo" => Spread(Groups(item, scores, LeaveOneOut), mask),
            "opo" => Spread(Optimal(item, scores, mask), mask),
            // A group of one has no baseline in the reference and is 0 there, as here.
            "reinforce_plus_plus_baseline" => Masked.Whiten(Spread(Groups(item, scores, OnlyCentred), mask), mask, unbiased: true),
            "reinforce_plus_plus" => Advantages.ReinforcePlusPlus(rewards, mask, item.Parameter("gamma", 1)),
            "remax" => Advantages.ReMax(rewards, item.Input("reward_baselines"), mask),
            "gpg" => Spread(GroupPolicyGradient(item, scores), mask),
            _ => throw new NotSupportedException($"estimator is {estimator}, which no test knows"),
        };
        TensorAssert.Close(Masked.Counted(item.Expected("advantages"), mask), advantages, 1e-7, "advantages");
        Returns(item, estimator, rewards, mask, advantages);
    }

    // Outcome advantages are their own returns in the reference; its sums of token rewards pass over the mask.
    private static void Returns(GoldenCase item, string estimator, Tensor rewards, Tensor mask, Tensor advantages)
    {
        var expected = Masked.Counted(item.Expected("returns"), mask);
        if (estimator is "reinforce_plus_plus" or "remax")
            TensorAssert.Close(
                expected,
                Advantages.Returns(rewards, mask, estimator == "remax" ? 1 : item.Parameter("gamma", 1)),
                1e-7,
                "returns"
            );
        else
            TensorAssert.Close(expected, advantages, 1e-7, "returns");
    }

    // A group of one keeps its score in the reference, divided by 1 + ε; it gives 0 here, as it has nothing to compare with.
    private static Tensor Scaled(Tensor group) =>
        group.shape[0] == 1 ? group / (1 + 1e-6) : Advantages.GroupRelative(group, (int)group.shape[0], epsilon: 1e-6);

    private static Tensor Centred(Tensor group) => group.shape[0] == 1 ? group : OnlyCentred(group);

    private static Tensor OnlyCentred(Tensor group) => Advantages.GroupRelative(group, (int)group.shape[0], GroupScaling.None);

    private static Tensor LeaveOneOut(Tensor group) => group.shape[0] == 1 ? group : Advantages.LeaveOneOut(group, (int)group.shape[0]);

    private static Tensor PassAtK(GoldenCase item, Tensor scores)
    {
        bool scales = item.Flag("norm_adv_by_std_in_grpo");
        return Groups(item, scores, group => Advantages.PassAtK(group, (int)group.shape[0], scales));
    }

    private static Tensor Optimal(GoldenCase item, Tensor scores, Tensor mask)
    {
        var lengths = mask.sum(1L).to_type(ScalarType.Float64);
        // Rewards and lengths travel together through the groups.
        return Groups(
            item,
            stack([scores, lengths], 1),
            group => Advantages.OptimalReward(group.select(1, 0), group.select(1, 1), (int)group.shape[0])
        );
    }

    // α counts over the batch: it is the function's own, of the batch as one group.
    private static Tensor GroupPolicyGradient(GoldenCase item, Tensor scores)
    {
        // The parameter is overwritten in the reference.
        item.Unneeded("alpha");
        int all = (int)scores.shape[0];
        var (whole, centred) = (
            Advantages.GroupPolicyGradient(scores, all, item.Parameter("f_norm", 1), countRewards: true),
            Advantages.GroupRelative(scores, all, GroupScaling.None)
        );
        return Groups(item, scores, Centred) * (whole / centred).mean();
    }

    private static Tensor Groups(GoldenCase item, Tensor scores, Func<Tensor, Tensor> function)
    {
        string[] index = [.. item.Inputs.Value("index").EnumerateArray().Select(name => name.GetString()!)];
        var results = new List<Tensor>();
        for (int start = 0; start < index.Length; )
        {
            int size = index.Skip(start).TakeWhile(name => name == index[start]).Count();
            results.Add(function(scores.narrow(0, start, size)));
            start += size;
        }
        return cat(results, 0);
    }

    private static Tensor Spread(Tensor sequences, Tensor mask) => Masked.Counted(sequences.unsqueeze(1).expand(mask.shape), mask);
}
