using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>dpo.json: the losses of DPO's family from logits, and from sequence log-probabilities.</summary>
internal static class DpoGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind> { ["dpo"] = new(FromLogits), ["dpo_from_logps"] = new(FromLogProbs) };

    /// <summary>Log-probabilities of the shifted targets; of B rows, the first half are the chosen ones.</summary>
    private static PairLogProbs Pairs(Tensor perToken, Tensor mask, double tailWeight)
    {
        var (values, masks) = (perToken.chunk(2, 0), mask.chunk(2, 0));
        return PairLogProbs.Of(values[0], values[1], masks[0], masks[1], tailWeight);
    }

    private static void FromLogits(GoldenCase item)
    {
        var (targets, mask) = (
            GoldenTokens.Targets(item.Input("input_ids")),
            GoldenTokens.Targets(item.Input("completion_mask") * item.Input("attention_mask"))
        );
        double tail = item.Parameter("ld_alpha", 1);
        var logits = item.Input("logits");
        Tensor PerToken(Tensor z) => TokenLogProbs.Gather(GoldenTokens.Predicting(z), targets, mask);
        var reference = Pairs(PerToken(item.Input("ref_logits")), mask, tail);
        var options = Options(item);
        Tensor? weights = item.Flag("use_weighting") ? Weights(GoldenTokens.Predicting(logits), targets, mask) : null;
        PreferenceLoss Loss(PairLogProbs policy) => PreferenceLosses.Dpo(policy, reference, options, weights);

        var pairs = Pairs(PerToken(logits), mask, tail);
        var loss = Loss(pairs);
        double tolerance =
            logits.dtype == ScalarType.Float32 ? 3e-5
            : item.Texts("loss_type").Contains("exo_pair") ? 1e-7
            : 1e-9;
        void Close(string name, Tensor actual) => TensorAssert.Close(item.Expected(name), actual, tolerance, name);
        TensorAssert.Close(item.ExpectedNumber("loss"), loss.Loss, tolerance, "loss");
        // The reference spreads its token mean, and with it the whole loss, over the pairs; here each pair has its own share.
        if (!item.Texts("loss_type").Contains("sft"))
            Close("per_sequence_loss", loss.PairLosses);
        Close("chosen_logps", pairs.Chosen);
        Close("rejected_logps", pairs.Rejected);
        Close("ref_chosen_logps", reference.Chosen);
        Close("ref_rejected_logps", reference.Rejected);
        Close("chosen_rewards", loss.ChosenRewards);
        Close("rejected_rewards", loss.RejectedRewards);
        double shift =
            item.Text("f_divergence_type") == "alpha_divergence" && item.Parameter("f_alpha_divergence_coef", 0) is var alpha && alpha != 1
                ? 1 / (alpha - 1)
                : 0;
        Close("chosen_scores", options.Divergence.Score(pairs.Chosen - reference.Chosen) + shift);
        Close("rejected_scores", options.Divergence.Score(pairs.Rejected - reference.Rejected) + shift);
        Metrics(item, loss, pairs);

        if (item.HasGradient("logits"))
            TensorAssert.Close(
                item.Gradient("logits"),
                Numbers.Gradient(z => Loss(Pairs(PerToken(z), mask, tail)).Loss, logits),
                tolerance,
                "gradient of logits"
            );
        // The reference's likelihood term reads the logits, so that its other gradients lack it.
        if (item.Texts("loss_type").Contains("sft") || !item.HasGradient("chosen_logps"))
            return;
        TensorAssert.Close(
            item.Gradient("chosen_logps"),
            Numbers.Gradient(x => Loss(pairs with { Chosen = x }).Loss, pairs.Chosen),
            tolerance,
            "gradient of chosen_logps"
        );
        TensorAssert.Close(
            item.Gradient("rejected_logps"),
            Numbers.Gradient(x => Loss(pairs with { Rejected = x }).Loss, pairs.Rejected),
            tolerance,
            "gradient of rejected_logps"
        );
        // The reference's masked log-probabilities have a gradient where nothing counts, too: the sum's.
        TensorAssert.Close(
            item.Gradient("per_token_logps") * mask,
            Numbers.Gradient(x => Loss(Pairs(x, mask, tail)).Loss, PerToken(logits)),
            tolerance,
            "gradient of per_token_logps"
        );
    }

    private static void Metrics(GoldenCase item, PreferenceLoss loss, PairLogProbs pairs)
    {
        if (!item.HasExpected("metrics"))
            return;
        void Close(string name, Tensor actual, double tolerance) =>
            TensorAssert.Close(item.ExpectedNumber("metrics", name), actual, tolerance, name);
        double tolerance = loss.Loss.dtype == ScalarType.Float64 ? 1e-9 : 3e-5;
        Close("rewards/chosen", loss.ChosenRewards.mean(), tolerance);
        Close("rewards/rejected", loss.RejectedRewards.mean(), tolerance);
        Close("rewards/margins", loss.Margins.mean(), tolerance);
        Close("logps/chosen", pairs.Chosen.mean(), tolerance);
        Close("logps/rejected", pairs.Rejected.mean(), tolerance);
        // The reference counts in float32.
        Close("rewards/accuracies", loss.Accuracy, 3e-8);
    }

    private static Tensor Weights(Tensor logits, Tensor targets, Tensor mask)
    {
        var (z, ids, counted) = (logits.chunk(2, 0), targets.chunk(2, 0), mask.chunk(2, 0));
        return PreferenceWeights.Wpo(z[0], ids[0], counted[0], z[1], ids[1], counted[1]);
    }

    /// <summary>The objective that the case's parameters name: one loss or a weighted list.</summary>
    internal static DpoObjective Options(GoldenCase item)
    {
        string[] names = item.Text("loss_type") is { } one ? [one] : item.Texts("loss_type");
        double[] weights = item.HasParameter("loss_weights") ? item.Numbers("loss_weights") : [.. names.Select(_ => 1.0)];
        // The peer lists these for every loss and divergence; only the ones of their names have them.
        double tau = item.Parameter("discopop_tau", 0.05),
            alpha = item.Parameter("f_alpha_divergence_coef", double.NaN);
        var terms = names.Zip(weights, (name, weight) => (weight, Named(item, name, tau))).ToArray();
        return new DpoObjective
        {
            Beta = item.Parameter("beta", double.NaN),
            Loss = terms.Length == 1 && terms[0].weight == 1 ? terms[0].Item2 : DpoLoss.Weighted(terms),
            Divergence = item.Text("f_divergence_type") switch
            {
                "reverse_kl" or null => FDivergence.ReverseKl,
                "forward_kl" => FDivergence.ForwardKl,
                "js_divergence" => FDivergence.JensenShannon,
                "alpha_divergence" => FDivergence.Alpha(alpha),
                var other => throw new NotSupportedException($"f_divergence_type is {other}"),
            },
        };
    }

    internal static DpoLoss Named(GoldenCase item, string name, double tau)
    {
        double smoothing = item.Parameter("label_smoothing", 0);
        return name switch
        {
            // The reference does not smooth these two.
            "sigmoid" => MarginLoss.Sigmoid(),
            "hinge" => MarginLoss.Hinge,
            "ipo" => DpoLoss.Ipo(),
            "exo_pair" => MarginLoss.Exo(smoothing),
            "nca_pair" => DpoLoss.NcaPair,
            "robust" => MarginLoss.Robust(smoothing),
            "bco_pair" => DpoLoss.BcoPair,
            "sppo_hard" => DpoLoss.SppoHard,
            "aot" => DpoLoss.Aot(smoothing),
            "aot_unpaired" => DpoLoss.AotUnpaired(smoothing),
            "apo_zero" => DpoLoss.ApoZero,
            "apo_down" => DpoLoss.ApoDown,
            "discopop" => MarginLoss.DiscoPop(tau),
            "sft" => DpoLoss.ChosenLikelihood(),
            "sigmoid_norm" => DpoLoss.OfMargin(MarginLoss.Sigmoid(), lengthNormalized: true),
            _ => throw new NotSupportedException($"loss_type holds {name}"),
        };
    }

    private static void FromLogProbs(GoldenCase item)
    {
        var policy = new PairLogProbs(item.Input("chosen_logps"), item.Input("rejected_logps"));
        var reference = new PairLogProbs(item.Input("ref_chosen_logps"), item.Input("ref_rejected_logps"));
        double smoothing = item.Parameter("label_smoothing", 0);
        var options = new DpoObjective
        {
            Beta = item.Parameter("beta", double.NaN),
            ReferenceFree = item.Flag("reference_free"),
            Loss = item.Text("loss_type") switch
            {
                "sigmoid" => MarginLoss.Sigmoid(smoothing),
                "hinge" => MarginLoss.Hinge,
                "ipo" => DpoLoss.Ipo(lengthNormalized: false),
                var other => throw new NotSupportedException($"loss_type is {other}"),
            },
        };
        var loss = PreferenceLosses.Dpo(policy, reference, options);
        GoldenTolerance.Close(item.Expected("losses"), loss.PairLosses, "losses");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.Expected("chosen_rewards"), loss.ChosenRewards, "chosen_rewards");
        GoldenTolerance.Close(item.Expected("rejected_rewards"), loss.RejectedRewards, "rejected_rewards");
        GoldenTolerance.Close(
            item.Gradient("chosen_logps"),
            Numbers.Gradient(x => PreferenceLosses.Dpo(policy with { Chosen = x }, reference, options).Loss, policy.Chosen),
            "gradient of chosen_logps"
        );
        GoldenTolerance.Close(
            item.Gradient("rejected_logps"),
            Numbers.Gradient(x => PreferenceLosses.Dpo(policy with { Rejected = x }, reference, options).Loss, policy.Rejected),
            "gradient of rejected_logps"
        );
    }
}
