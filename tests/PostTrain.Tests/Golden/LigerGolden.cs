using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>liger.json: losses of an output layer together with the layer, in chunks of several sizes. Nothing is shifted, −100 does not
/// count; of pairs the first half of the rows is chosen.</summary>
internal static class LigerGolden
{
    internal const double Tolerance = 3e-5;

    private static readonly int[] ChunkSizes = [1, 3, 256];

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["fused_linear_dpo"] = new(Dpo),
            ["fused_linear_orpo"] = new(Orpo),
            ["fused_linear_simpo"] = new(item => Cpo(item, averaged: true, likelihood: false)),
            ["fused_linear_cpo"] = new(item => Cpo(item, item.Flag("average_log_prob"), likelihood: true)),
            ["fused_linear_kto"] = new(Kto),
            ["fused_linear_jsd"] = new(LigerDistillGolden.Jsd),
            ["fused_linear_cosine"] = new(LigerDistillGolden.Cosine),
            ["fused_linear_grpo"] = new(LigerPolicyGolden.Check),
        };

    /// <summary>Hidden states and the layer, with which a loss is computed.</summary>
    internal readonly record struct Layer(Tensor Hidden, Tensor Weight, Tensor? Bias, int ChunkSize)
    {
        internal ChunkedTokens Tokens(Tensor targets, Tensor mask, LogitTransform? transform = null) =>
            ChunkedLogProbs.Gather(Hidden, Weight, targets, mask, Bias, transform, ChunkSize);

        internal Layer Rows(long start, long count) => this with { Hidden = Hidden.narrow(0, start, count) };
    }

    /// <summary>Checks a loss and its gradients for every chunk size; gives the layer for what else the case expects.</summary>
    internal static Layer CheckLoss(GoldenCase item, Func<Layer, Tensor> loss)
    {
        var (hidden, weight) = (item.Input("hidden"), item.Input("weight"));
        var bias = item.HasInput("bias") ? item.Input("bias") : null;
        foreach (var size in ChunkSizes)
        {
            TensorAssert.Close(item.ExpectedNumber("loss"), loss(new(hidden, weight, bias, size)), Tolerance, "loss");
            Gradient("hidden", hidden, x => loss(new(x, weight, bias, size)));
            Gradient("weight", weight, x => loss(new(hidden, x, bias, size)));
            if (bias is not null)
                Gradient("bias", bias, x => loss(new(hidden, weight, x, size)));
        }
        return new(hidden, weight, bias, 2);

        void Gradient(string name, Tensor at, Func<Tensor, Tensor> function) =>
            TensorAssert.Close(item.Gradient(name), Numbers.Gradient(function, at), Tolerance, $"gradient of {name}");
    }

    private static void Dpo(GoldenCase item)
    {
        var (targets, mask) = Targets(item);
        var averaged = item.Flag("average_log_prob");
        var likelihood = item.Flag("compute_nll_loss");
        var weight = item.Parameter("alpha", 1);
        var reference = UsesReference(item)
            ? Pairs(Reference(item), targets, mask, averaged)
            : new PairLogProbs(zeros(targets.shape[0] / 2), zeros(targets.shape[0] / 2));
        var options = new DpoObjective
        {
            Beta = item.Parameter("beta", 0.1),
            Loss = DpoGolden.Named(item, item.Text("loss_type") ?? "sigmoid", item.Parameter("discopop_tau", 0.05)),
        };
        PreferenceLoss Preference(Layer layer) => PreferenceLosses.Dpo(Pairs(layer, targets, mask, averaged), reference, options);
        var layer = CheckLoss(
            item,
            at => likelihood ? Preference(at).Loss + ChosenLikelihood(at, targets, mask) * weight : Preference(at).Loss
        );
        Close(item, layer, targets, Pairs(layer, targets, mask, averaged), Preference(layer));
        if (likelihood)
            TensorAssert.Close(item.ExpectedNumber("nll_loss"), ChosenLikelihood(layer, targets, mask), Tolerance, "nll_loss");
    }

    private static void Cpo(GoldenCase item, bool averaged, bool likelihood)
    {
        var (targets, mask) = Targets(item);
        if (item.HasParameter("compute_nll_loss"))
            likelihood = item.Flag("compute_nll_loss");
        var options = new CpoObjective
        {
            Beta = item.Parameter("beta", 0.1),
            TargetMargin = item.Parameter("gamma", averaged && item.Kind == "fused_linear_simpo" ? 0.5 : 0),
            LengthNormalized = averaged,
            Loss = MarginLoss.Sigmoid(item.Parameter("label_smoothing", 0)),
            LikelihoodWeight = item.Parameter("alpha", 1) * (likelihood ? 1 : 0),
        };
        PreferenceLoss Loss(Layer layer) => PreferenceLosses.Cpo(Pairs(layer, targets, mask, averaged: false), options);
        var found = CheckLoss(item, at => Loss(at).Loss);
        Close(item, found, targets, Pairs(found, targets, mask, averaged), Loss(found));
        if (likelihood)
            TensorAssert.Close(item.ExpectedNumber("nll_loss"), ChosenLikelihood(found, targets, mask), Tolerance, "nll_loss");
    }

    private static void Orpo(GoldenCase item)
    {
        var (targets, mask) = Targets(item);
        var (labels, counted) = item.HasInput("nll_target") ? Targets(item, "nll_target") : (targets, mask);
        var likelihood = !item.HasParameter("compute_nll_loss") || item.Flag("compute_nll_loss");
        var beta = item.Parameter("beta", 0.1);
        Tensor Likelihood(Layer at) => likelihood ? ChosenLikelihood(at, labels, counted) : zeros([]);
        PreferenceLoss Loss(Layer at) => PreferenceLosses.Orpo(Pairs(at, targets, mask, averaged: false), beta, Likelihood(at));
        var layer = CheckLoss(item, at => Loss(at).Loss);
        var (means, loss) = (Pairs(layer, targets, mask, averaged: true), Loss(layer));
        Close(item, layer, targets, means, loss);
        if (likelihood)
            TensorAssert.Close(item.ExpectedNumber("nll_loss"), Likelihood(layer), Tolerance, "nll_loss");
        TensorAssert.Close(item.ExpectedNumber("log_odds_ratio"), loss.PairLosses.mean() / -beta, Tolerance, "log_odds_ratio");
        var odds = means.Chosen - Stable.Log1mExp(means.Chosen) - means.Rejected + Stable.Log1mExp(means.Rejected);
        TensorAssert.Close(item.ExpectedNumber("log_odds_chosen"), odds.mean(), Tolerance, "log_odds_chosen");
    }

    private static void Kto(GoldenCase item)
    {
        var (targets, mask) = Targets(item);
        var desirable = item.Input("labels");
        var reference = UsesReference(item) ? Sums(Reference(item), targets, mask) : zeros(targets.shape[0]);
        var point = item.HasInput("kl") ? item.Input("kl").squeeze() : null;
        var options = new KtoObjective { Beta = item.Parameter("beta", 0.1) };
        UnpairedLoss Loss(Layer at) => UnpairedLosses.Kto(Sums(at, targets, mask), reference, desirable, point, options);
        var layer = CheckLoss(item, at => Loss(at).Loss);
        Tensor[] values = [Sums(layer, targets, mask), Logits(layer, targets).sum(1L) * layer.Weight.shape[0], Loss(layer).Rewards];
        foreach (var (name, which) in new[] { ("chosen", desirable != 0), ("rejected", desirable == 0) })
        foreach (var (what, value) in new[] { "logps", "logits", "rewards" }.Zip(values))
            TensorAssert.Close(item.ExpectedNumber($"{name}_{what}_sum"), Masked.Sum(value, which), Tolerance, $"{name}_{what}_sum");
    }

    private static void Close(GoldenCase item, Layer layer, Tensor targets, PairLogProbs pairs, PreferenceLoss loss)
    {
        TensorAssert.Close(item.Expected("chosen_logps"), pairs.Chosen, Tolerance, "chosen_logps");
        TensorAssert.Close(item.Expected("rejected_logps"), pairs.Rejected, Tolerance, "rejected_logps");
        TensorAssert.Close(item.Expected("chosen_rewards"), loss.ChosenRewards, Tolerance, "chosen_rewards");
        TensorAssert.Close(item.Expected("rejected_rewards"), loss.RejectedRewards, Tolerance, "rejected_rewards");
        var (logits, half) = (Logits(layer, targets), targets.shape[0] / 2);
        TensorAssert.Close(item.ExpectedNumber("chosen_logits_mean"), logits.narrow(0, 0, half).mean(), Tolerance, "chosen logits");
        TensorAssert.Close(item.ExpectedNumber("rejected_logits_mean"), logits.narrow(0, half, half).mean(), Tolerance, "rejected logits");
    }

    // Means over the vocabulary, of all positions: mean log π = mean z − log Σ exp z.
    private static Tensor Logits(Layer layer, Tensor targets)
    {
        var tokens = layer.Tokens(targets.clamp_min(0), ones_like(targets));
        return tokens.MeanLogProbs + tokens.LogPartitions;
    }

    private static Tensor Sums(Layer layer, Tensor targets, Tensor mask) => layer.Tokens(targets, mask).LogProbs.sum(1L);

    private static PairLogProbs Pairs(Layer layer, Tensor targets, Tensor mask, bool averaged)
    {
        var half = targets.shape[0] / 2;
        var (sums, counts) = (Sums(layer, targets, mask), mask.sum(1L));
        var values = averaged ? sums / counts : sums;
        return new(values.narrow(0, 0, half), values.narrow(0, half, half), counts.narrow(0, 0, half), counts.narrow(0, half, half));
    }

    private static Tensor ChosenLikelihood(Layer layer, Tensor targets, Tensor mask)
    {
        var half = targets.shape[0] / 2;
        return SupervisedLosses
            .ChunkedCrossEntropy(
                layer.Hidden.narrow(0, 0, half),
                layer.Weight,
                targets.narrow(0, 0, half),
                mask.narrow(0, 0, half),
                bias: layer.Bias,
                chunkSize: layer.ChunkSize
            )
            .Loss;
    }

    private static bool UsesReference(GoldenCase item) => !item.HasParameter("use_ref_model") || item.Flag("use_ref_model");

    private static Layer Reference(GoldenCase item) =>
        new(item.Input("ref_hidden"), item.Input("ref_weight"), item.HasInput("ref_bias") ? item.Input("ref_bias") : null, 2);

    private static (Tensor Targets, Tensor Mask) Targets(GoldenCase item, string name = "target")
    {
        var targets = item.Input(name);
        return (targets, targets.ne(-100).to_type(ScalarType.Float32));
    }
}
