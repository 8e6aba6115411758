using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>sft.json: labels are shifted here (the logits at t predict the label at t + 1), and −100 does not count.</summary>
internal static class SftGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } = new Dictionary<string, GoldenKind>
    {
        ["causal_lm_loss"] = new(item => Check(item)),
        ["cross_entropy"] = new(item => Check(item), item => item.Parameter("label_smoothing", 0) != 0 ? "label smoothing" : null),
        ["sft_trainer"] = new(Trainer),
    };

    private static SupervisedLoss Check(GoldenCase item)
    {
        var logits = item.Input("logits");
        SupervisedLoss Loss(Tensor all)
        {
            var labels = item.Input("labels");
            var targets = labels.narrow(1, 1, labels.shape[1] - 1);
            double? items = item.HasParameter("num_items_in_batch") ? item.Parameter("num_items_in_batch", 0) : null;
            return SupervisedLosses.NegativeLogLikelihood(all.narrow(1, 0, targets.shape[1]), targets, targets != -100, LossAggregation.TokenMean, items);
        }
        var loss = Loss(logits);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(leaf => Loss(leaf).Loss, logits), "gradient of logits");
        return loss;
    }

    private static void Trainer(GoldenCase item)
    {
        var loss = Check(item);
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "mean_token_accuracy"), loss.Accuracy, "accuracy");
    }
}
