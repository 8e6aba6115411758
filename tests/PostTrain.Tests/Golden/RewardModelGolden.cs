using PostTrain.Models;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>models.json, kind reward_model: a checkpoint with a scoring head and what transformers computes with it.</summary>
internal static class RewardModelGolden
{
    internal static void Run(GoldenCase item)
    {
        var directory = ModelsGolden.Directory(item);
        using var expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        var scores = expected.Read("scores");
        // The reference computed in the type that it stored; here in float32 from the same weights.
        var tolerance = scores.dtype == ScalarType.Float32 ? 1e-4 : GoldenTolerance.Of(scores.dtype);
        using var model = Pretrained.LoadRewardModel(directory, ScalarType.Float32);
        var (ids, mask) = (expected.Read("input_ids"), expected.Read("attention_mask"));
        var own = model.ScoreAtLastNonPadding(ids, mask);
        TensorAssert.Close(scores, own, tolerance, "scores");
        TensorAssert.Close(scores, model.call(ids), tolerance, "scores without a mask");
        if (expected.TryGetEntry("left.scores", out _))
            TensorAssert.Close(
                expected.Read("left.scores"),
                model.ScoreAtLastNonPadding(expected.Read("left.input_ids"), expected.Read("left.attention_mask")),
                tolerance,
                "left.scores"
            );

        var gradients = model.named_parameters().Where(pair => expected.TryGetEntry("grad." + pair.name, out _)).ToList();
        Assert.Equal(expected.Entries.Count(entry => entry.Name.StartsWith("grad.", StringComparison.Ordinal)), gradients.Count);
        if (gradients.Count == 0)
            return;
        var half = own.size(0) / 2;
        var column = own.squeeze(1);
        RewardModelLosses.BradleyTerry(column.narrow(0, 0, half), column.narrow(0, half, half)).Loss.backward();
        foreach (var (name, parameter) in gradients)
            TensorAssert.Close(expected.Read("grad." + name), parameter.grad!, tolerance, "grad." + name);
    }
}
