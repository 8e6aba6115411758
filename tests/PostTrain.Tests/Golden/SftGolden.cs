using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>sft.json: labels are shifted here (the logits at t predict the label at t + 1), and −100 does not count.</summary>
internal static class SftGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["causal_lm_loss"] = new(item => Check(item, Plain)),
            ["cross_entropy"] = new(item => Check(item, Smoothed(item, "label_smoothing"))),
            ["label_smoother"] = new(LabelSmoother),
            ["dft"] = new(item =>
                Check(item, (logits, targets, mask, items) => SupervisedLosses.Dft(logits, targets, mask, LossAggregation.TokenMean, items))
            ),
            ["chunked_nll"] = new(Chunked),
            ["sft_trainer"] = new(Trainer),
        };

    private delegate SupervisedLoss Function(Tensor logits, Tensor targets, Tensor mask, double? items);

    private static SupervisedLoss Plain(Tensor logits, Tensor targets, Tensor mask, double? items) =>
        SupervisedLosses.NegativeLogLikelihood(logits, targets, mask, LossAggregation.TokenMean, items);

    private static SupervisedLoss Check(GoldenCase item, Function function, double? tolerance = null)
    {
        var logits = item.Input("logits");
        SupervisedLoss Loss(Tensor all)
        {
            var targets = Targets(item);
            return function(all.narrow(1, 0, targets.shape[1]), targets, Counted(item, targets), Items(item));
        }
        var loss = Loss(logits);
        double near = tolerance ?? GoldenTolerance.Of(logits.dtype);
        TensorAssert.Close(item.ExpectedNumber("loss"), loss.Loss, near, "loss");
        TensorAssert.Close(item.Gradient("logits"), Numbers.Gradient(leaf => Loss(leaf).Loss, logits), near, "gradient of logits");
        return loss;
    }

    private static Tensor Targets(GoldenCase item) => GoldenTokens.Targets(item.Input("labels"));

    // What is padded has no label either.
    private static Tensor Counted(GoldenCase item, Tensor targets)
    {
        var counted = targets != (long)item.Parameter("ignore_index", -100);
        return item.HasInput("attention_mask") ? counted & GoldenTokens.Targets(item.Input("attention_mask")).ne(0) : counted;
    }

    private static double? Items(GoldenCase item) =>
        item.HasParameter("num_items_in_batch") ? item.Parameter("num_items_in_batch", 0) : null;

    private static Function Smoothed(GoldenCase item, string parameter) =>
        (logits, targets, mask, items) =>
            SupervisedLosses.CrossEntropy(
                logits,
                targets,
                mask,
                new CrossEntropyObjective { LabelSmoothing = item.Parameter(parameter, 0) },
                null,
                LossAggregation.TokenMean,
                items
            );

    // The reference sums its smoothing term in float32, whatever the inputs are.
    private static void LabelSmoother(GoldenCase item) => Check(item, Smoothed(item, "epsilon"), 1e-6);

    private static void Chunked(GoldenCase item)
    {
        var (hidden, weight) = (item.Input("hidden"), item.Input("lm_head_weight"));
        var bias = item.HasInput("lm_head_bias") ? item.Input("lm_head_bias") : null;
        var targets = Targets(item);
        var mask = Counted(item, targets);
        var options = new CrossEntropyObjective
        {
            Logits = new LogitTransform
            {
                Scale = item.Parameter("logit_scale", 1),
                SoftCap = item.HasParameter("final_logit_softcapping") ? item.Parameter("final_logit_softcapping", 0) : null,
            },
        };
        int chunkSize = (int)item.Parameter("chunk_size", 1);
        SupervisedLoss Loss(Tensor h, Tensor w, Tensor? b) =>
            SupervisedLosses.ChunkedCrossEntropy(
                h.narrow(1, 0, targets.shape[1]),
                w,
                targets,
                mask,
                options,
                b,
                null,
                LossAggregation.TokenMean,
                Items(item),
                chunkSize
            );
        var loss = Loss(hidden, weight, bias);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        double valid = mask.sum().ToDouble();
        Assert.Equal(item.ExpectedNumber("num_valid_tokens"), valid);
        Assert.Equal(item.ExpectedNumber("num_correct_tokens"), Math.Round(loss.Accuracy.ToDouble() * valid, 4));
        var tokens = ChunkedLogProbs.Gather(hidden.narrow(1, 0, targets.shape[1]), weight, targets, mask, bias, options.Logits, chunkSize);
        GoldenTolerance.Close(item.ExpectedNumber("entropy_sum"), tokens.Entropies.sum(), "sum of entropies");
        GoldenTolerance.Close(item.Gradient("hidden"), Numbers.Gradient(h => Loss(h, weight, bias).Loss, hidden), "gradient of hidden");
        GoldenTolerance.Close(
            item.Gradient("lm_head_weight"),
            Numbers.Gradient(w => Loss(hidden, w, bias).Loss, weight),
            "gradient of the weight"
        );
        if (bias is not null)
            GoldenTolerance.Close(
                item.Gradient("lm_head_bias"),
                Numbers.Gradient(b => Loss(hidden, weight, b).Loss, bias),
                "gradient of the bias"
            );
    }

    private static void Trainer(GoldenCase item)
    {
        var loss = Check(item, Plain);
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "mean_token_accuracy"), loss.Accuracy, "accuracy");
        var entropies = TokenLogProbs.Entropy(GoldenTokens.Predicting(item.Input("logits")));
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "entropy"), Masked.Mean(entropies, Counted(item, Targets(item))), "entropy");
    }
}
