using PostTrain.Numerics;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>reward.json.</summary>
internal static class RewardGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["bradley_terry"] = new(BradleyTerry),
            ["prm"] = new(Process),
            ["prm_tokenize"] = new(Tokenize),
        };

    // The chosen rewards, then the rejected ones, in one column.
    private static void BradleyTerry(GoldenCase item)
    {
        RewardLoss Loss(Tensor rewards)
        {
            var column = rewards.squeeze(1);
            long pairs = column.shape[0] / 2;
            return RewardModelLosses.BradleyTerry(
                column.narrow(0, 0, pairs),
                column.narrow(0, pairs, pairs),
                item.HasInput("margin") ? item.Input("margin") : null,
                new BradleyTerryObjective { CenteringCoefficient = item.Parameter("center_rewards_coefficient", 0) }
            );
        }
        var rewards = item.Input("rewards");
        var loss = Loss(rewards);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.Gradient("rewards"), Numbers.Gradient(leaf => Loss(leaf).Loss, rewards), "gradient of rewards");
        foreach (
            var (name, value) in new[]
            {
                ("accuracy", loss.Accuracy),
                ("margin", loss.Margin),
                ("min_reward", loss.MinimumReward),
                ("mean_reward", loss.MeanReward),
                ("max_reward", loss.MaximumReward),
            }
        )
            GoldenTolerance.Close(item.ExpectedNumber("metrics", name), value, name);
    }

    private static void Process(GoldenCase item)
    {
        var (logits, labels) = (item.Input("logits"), item.Input("labels"));
        double? items = item.HasParameter("num_items_in_batch") ? item.Parameter("num_items_in_batch", 0) : null;
        RewardClassificationLoss Loss(Tensor leaf) =>
            RewardClassificationLosses.StepClasses(leaf, labels, labels != -100, LossAggregation.TokenMean, items);
        var loss = Loss(logits);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.ExpectedNumber("accuracy"), loss.Accuracy, "accuracy");
        GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(leaf => Loss(leaf).Loss, logits), "gradient of logits");
        if (logits.shape[2] != 2)
            return;
        // Two classes are one logit, the difference of theirs.
        var binary = RewardClassificationLosses.Steps(
            logits.select(2, 1) - logits.select(2, 0),
            labels.to_type(logits.dtype),
            labels != -100,
            LossAggregation.TokenMean,
            items
        );
        GoldenTolerance.Close(item.ExpectedNumber("loss"), binary.Loss, "loss of one logit");
        GoldenTolerance.Close(item.ExpectedNumber("accuracy"), binary.Accuracy, "accuracy of one logit");
    }

    private static void Tokenize(GoldenCase item)
    {
        var example = new StepwiseExample(
            item.Json("inputs", "prompt").GetString()!,
            [.. item.Json("inputs", "completions").EnumerateArray().Select(step => step.GetString()!)],
            [.. item.Json("inputs", "labels").EnumerateArray().Select(label => label.GetBoolean() ? 1 : 0)]
        );
        int? Limit(string name) => item.HasParameter(name) ? (int)item.Parameter(name, 0) : null;
        bool lastOnly = item.Flag("train_on_last_step_only"),
            evaluates = item.Flag("is_eval");
        var encoding = StepEncoding.Of(
            example,
            new CodePoints(),
            new StepEncodingOptions
            {
                Separator = item.Text("step_separator")!,
                LastStepOnly = lastOnly && !evaluates,
                BeginningOfSequenceId = Limit("bos_token_id"),
                MaximumCompletionLength = Limit("max_completion_length"),
                MaximumLength = Limit("max_length"),
            }
        );
        Assert.Equal(item.Json("expected", "input_ids").EnumerateArray().Select(id => id.GetInt32()), encoding.Tokens);
        int[] labels = [.. Enumerable.Repeat(-100, encoding.Tokens.Length)];
        foreach (var (end, label) in encoding.Ends.Zip(encoding.Labels))
            labels[end] = label;
        Assert.Equal(item.Json("expected", "labels").EnumerateArray().Select(label => label.GetInt32()), labels);
    }
}
