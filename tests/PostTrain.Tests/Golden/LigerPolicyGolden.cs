using PostTrain.Policy.Losses;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>liger.json, GRPO: the objectives of grpo.json on log-probs of hidden states and the layer.</summary>
internal static class LigerPolicyGolden
{
    internal static void Check(GoldenCase item)
    {
        var (targets, mask) = (item.Input("target"), item.Input("mask"));
        var transform = new LogitTransform { Temperature = item.Parameter("temperature", 1) };
        var reference = item.Flag("use_ref_model") ? item.Input("ref_per_token_logps") : null;
        Tensor LogProbs(LigerGolden.Layer at) => at.Tokens(targets, mask, transform).LogProbs;
        (Tensor Loss, PolicyObjectiveLoss Result) Evaluate(LigerGolden.Layer at)
        {
            var logProbs = LogProbs(at);
            var batch = new PolicyBatch(
                logProbs,
                item.HasInput("old_per_token_logps") ? item.Input("old_per_token_logps") : logProbs.detach(),
                item.Input("advantages"),
                mask
            )
            {
                ReferenceLogProbs = reference,
                ImportanceWeights = Importance(item, mask),
            };
            var items = item.Parameter("num_items_in_batch", LossAggregation.TokenMean.Denominator(mask));
            return GrpoGolden.Evaluate(item, batch, 1, items);
        }

        var layer = LigerGolden.CheckLoss(item, at => Evaluate(at).Loss);
        var (_, result) = Evaluate(layer);
        if (reference is not null)
            TensorAssert.Close(item.ExpectedNumber("kl"), result.Kl, LigerGolden.Tolerance, "kl");
        // The share of tokens; of a sequence's ratio, or of one that is capped from above, the reference counts something else.
        if (
            GrpoGolden.LossType(item) is "grpo" or "bnpo" or "dr_grpo" or "dapo"
            && item.Text("importance_sampling_level") is null or "token"
            && !item.HasParameter("delta")
        )
            TensorAssert.Close(item.ExpectedNumber("clip_ratio"), result.ClipFraction, 1e-6, "clip_ratio");
    }

    private static Tensor? Importance(GoldenCase item, Tensor mask)
    {
        if (!item.HasInput("importance_ratio"))
            return null;
        var ratio = item.Input("importance_ratio");
        // A column is one weight a sequence.
        return ratio.shape[1] == 1 && mask.shape[1] > 1 ? ratio.squeeze(1) : ratio;
    }
}
