using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>preference.json: losses with pairs but without a reference, and of single completions.</summary>
internal static class PreferenceGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["kto"] = new(Kto),
            ["bco_from_logps"] = new(Bco),
            ["cpo_from_logps"] = new(CpoFromLogProbs),
            ["cpo"] = new(Cpo),
            ["tpo"] = new(Tpo),
            ["orpo_from_logps"] = new(OrpoFromLogProbs),
            ["orpo"] = new(Orpo),
            ["log1mexp"] = new(item => GoldenTolerance.Close(item.Expected("y"), Stable.Log1mExp(item.Input("x")), "y")),
            ["nash_md"] = new(OnlinePreferenceGolden.NashMd),
            ["xpo"] = new(OnlinePreferenceGolden.Xpo),
            ["online_dpo"] = new(OnlinePreferenceGolden.OnlineDpo),
            ["a2po"] = new(OnlinePreferenceGolden.OptimalAdvantage),
        };

    private static double Beta(GoldenCase item) => item.Parameter("beta", double.NaN);

    private static Tensor SequenceSum(Tensor logits, Tensor ids, Tensor completionMask)
    {
        var mask = GoldenTokens.Targets(completionMask);
        return Masked.Sum(TokenLogProbs.Gather(GoldenTokens.Predicting(logits), GoldenTokens.Targets(ids), mask), mask, 1);
    }

    private static void Kto(GoldenCase item)
    {
        var (ids, mask, label) = (
            item.Input("input_ids"),
            item.Input("completion_mask") * item.Input("attention_mask"),
            item.Input("label")
        );
        var logits = item.Input("logits");
        var reference = SequenceSum(item.Input("ref_logits"), ids, mask);
        Tensor? point = item.Text("loss_type") == "apo_zero_unpaired" ? null : ReferencePoint(item);
        var options = new KtoObjective
        {
            Beta = Beta(item),
            DesirableWeight = item.Parameter("desirable_weight", 1),
            UndesirableWeight = item.Parameter("undesirable_weight", 1),
        };
        UnpairedLoss Loss(Tensor logProbs) => UnpairedLosses.Kto(logProbs, reference, label, point, options);
        var logProbs = SequenceSum(logits, ids, mask);
        var loss = Loss(logProbs);
        // The reference lists the desirable completions first.
        var (good, bad) = (label.nonzero().squeeze(-1), label.logical_not().nonzero().squeeze(-1));
        GoldenTolerance.Close(item.Expected("losses"), loss.Losses.index_select(0, cat([good, bad])), "losses");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.ExpectedNumber("kl"), point ?? zeros_like(loss.Loss), "kl");
        GoldenTolerance.Close(item.Expected("completion_logps"), logProbs, "completion_logps");
        GoldenTolerance.Close(item.Expected("chosen_rewards"), loss.Rewards.index_select(0, good), "chosen_rewards");
        GoldenTolerance.Close(item.Expected("rejected_rewards"), loss.Rewards.index_select(0, bad), "rejected_rewards");
        if (item.HasGradient("logits"))
            GoldenTolerance.Close(
                item.Gradient("logits"),
                Numbers.Gradient(z => Loss(SequenceSum(z, ids, mask)).Loss, logits),
                "gradient of logits"
            );
        GoldenTolerance.Close(
            item.Gradient("completion_logps"),
            Numbers.Gradient(x => Loss(x).Loss, logProbs),
            "gradient of completion_logps"
        );
    }

    private static Tensor ReferencePoint(GoldenCase item)
    {
        var (ids, mask) = (item.Input("KL_input_ids"), item.Input("KL_completion_mask"));
        var (policy, reference) = (SequenceSum(item.Input("KL_logits"), ids, mask), SequenceSum(item.Input("ref_KL_logits"), ids, mask));
        GoldenTolerance.Close(item.Expected("KL_logps"), policy, "KL_logps");
        GoldenTolerance.Close(item.Expected("ref_KL_logps"), reference, "ref_KL_logps");
        return UnpairedLosses.ReferencePoint(policy, reference);
    }

    private static void Bco(GoldenCase item)
    {
        // The reference's running moments are float32.
        const double Tolerance = 1e-6;
        var moments = new RewardMoments();
        foreach (var (step, inputs) in item.Inputs.Objects("steps").Index())
        {
            Tensor Input(string name) => GoldenCase.Read(inputs.Value(name));
            void Close(Tensor actual, params string[] path) =>
                TensorAssert.Close(item.OfStep("expected", step, path), actual, Tolerance, string.Join(", ", path));
            var (chosen, rejected) = (Input("policy_chosen_logps"), Input("policy_rejected_logps"));
            var reference = cat([Input("ref_chosen_logps"), Input("ref_rejected_logps")]);
            var desirable = cat([ones_like(chosen), zeros_like(rejected)]);
            moments = moments.Include((cat([chosen, rejected]) - reference) * Beta(item));
            UnpairedLoss Loss(Tensor w, Tensor l) => UnpairedLosses.Bco(cat([w, l]), reference, desirable, moments.Mean, null, Beta(item));
            var loss = Loss(chosen, rejected);
            Close(loss.Losses, "losses");
            Close(loss.Loss, "loss");
            Close(loss.Rewards.narrow(0, 0, chosen.shape[0]), "chosen_rewards");
            Close(loss.Rewards.narrow(0, chosen.shape[0], rejected.shape[0]), "rejected_rewards");
            Close(tensor(moments.Mean), "delta");
            Close(tensor(moments.Mean), "running", "mean");
            Close(tensor(moments.Variance), "running", "var");
            Close(tensor(moments.StandardDeviation), "running", "std");
            Close(tensor((double)moments.Count), "running", "count");
            TensorAssert.Close(
                item.OfStep("grads", step, "policy_chosen_logps"),
                Numbers.Gradient(x => Loss(x, rejected).Loss, chosen),
                Tolerance,
                "gradient of chosen"
            );
            TensorAssert.Close(
                item.OfStep("grads", step, "policy_rejected_logps"),
                Numbers.Gradient(x => Loss(chosen, x).Loss, rejected),
                Tolerance,
                "gradient of rejected"
            );
        }
    }

    /// <summary>The objective of a case with CPO's or TPO's parameters; its log-probs are still to be divided by lengths where <paramref
    /// name="normalize"/> is true.</summary>
    internal static CpoObjective Options(GoldenCase item, bool normalize)
    {
        double smoothing = item.Parameter("label_smoothing", 0),
            margin = item.Parameter("simpo_gamma", item.Parameter("tpo_l_gamma", 0));
        string type = item.Text("loss_type") ?? "sigmoid";
        return new CpoObjective
        {
            Beta = Beta(item),
            RewardShape = item.Parameter("alpha", 0),
            LengthNormalized = normalize && (type is "simpo" or "tpo-l" or "ipo"),
            // The peer's other losses have no margin, whatever it is set to.
            TargetMargin = type is "simpo" or "tpo-l" ? margin : 0,
            LikelihoodWeight = item.Parameter("cpo_alpha", item.Parameter("tpo_alpha", 0)),
            Loss = type switch
            {
                "sigmoid" or "simpo" or "tpo-l" => MarginLoss.Sigmoid(smoothing),
                "hinge" => MarginLoss.Hinge,
                "ipo" => MarginLoss.Ipo,
                _ => throw new NotSupportedException($"loss_type is {type}"),
            },
        };
    }

    private static void CpoFromLogProbs(GoldenCase item)
    {
        // Where lengths are divided out, these log-probabilities are means already.
        var pairs = new PairLogProbs(item.Input("chosen_logps"), item.Input("rejected_logps"));
        PreferenceLoss Loss(PairLogProbs policy) => PreferenceLosses.Cpo(policy, Options(item, normalize: false));
        CheckPairs(item, pairs, Loss, GoldenTolerance.Of(pairs.Chosen.dtype));
        GoldenTolerance.Close(item.Expected("losses"), Loss(pairs).PairLosses, "losses");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), Loss(pairs).Loss, "loss");
    }

    private static void CheckPairs(
        GoldenCase item,
        PairLogProbs pairs,
        Func<PairLogProbs, PreferenceLoss> loss,
        double tolerance,
        double sign = 1
    )
    {
        TensorAssert.Close(item.Expected("chosen_rewards"), loss(pairs).ChosenRewards, tolerance, "chosen_rewards");
        TensorAssert.Close(item.Expected("rejected_rewards"), loss(pairs).RejectedRewards, tolerance, "rejected_rewards");
        TensorAssert.Close(
            item.Gradient("chosen_logps"),
            Numbers.Gradient(x => loss(pairs with { Chosen = x }).PairLosses.mean() * sign, pairs.Chosen),
            tolerance,
            "gradient of chosen_logps"
        );
        TensorAssert.Close(
            item.Gradient("rejected_logps"),
            Numbers.Gradient(x => loss(pairs with { Rejected = x }).PairLosses.mean() * sign, pairs.Rejected),
            tolerance,
            "gradient of rejected_logps"
        );
    }

    /// <summary>Pairs of a batch whose rows are the chosen, then the rejected sequences, both padded on the right, with labels of −100
    /// outside the completion.</summary>
    private static PairLogProbs Labelled(GoldenCase item, Tensor logits)
    {
        var rows = logits.chunk(2, 0);
        (Tensor Values, Tensor Mask) Side(Tensor z, string side)
        {
            Tensor Shifted(string name) => GoldenTokens.Targets(item.Input($"{side}_{name}"));
            var (targets, mask) = (Shifted("input_ids"), Shifted("labels").ne(-100) & Shifted("attention_mask").ne(0));
            return (TokenLogProbs.Gather(z.narrow(1, 0, targets.shape[1]), targets, mask), mask);
        }
        var ((chosen, chosenMask), (rejected, rejectedMask)) = (Side(rows[0], "chosen"), Side(rows[1], "rejected"));
        return PairLogProbs.Of(chosen, rejected, chosenMask, rejectedMask);
    }

    private static void Metrics(GoldenCase item, PreferenceLoss loss, Tensor likelihood, double tolerance, double sign = 1)
    {
        TensorAssert.Close(item.Expected("losses"), loss.PairLosses * sign, tolerance, "losses");
        TensorAssert.Close(item.ExpectedNumber("loss"), loss.Loss, tolerance, "loss");
        TensorAssert.Close(item.ExpectedNumber("nll_loss"), likelihood, tolerance, "nll_loss");
        TensorAssert.Close(item.ExpectedNumber("metrics", "rewards/chosen"), loss.ChosenRewards.mean(), tolerance, "rewards/chosen");
        TensorAssert.Close(item.ExpectedNumber("metrics", "rewards/rejected"), loss.RejectedRewards.mean(), tolerance, "rewards/rejected");
        TensorAssert.Close(item.ExpectedNumber("metrics", "rewards/margins"), loss.Margins.mean(), tolerance, "rewards/margins");
        TensorAssert.Close(item.ExpectedNumber("metrics", "rewards/accuracies"), loss.Accuracy, 3e-8, "rewards/accuracies");
    }

    private static void Cpo(GoldenCase item)
    {
        var options = Options(item, normalize: true);
        var logits = item.Input("logits");
        var pairs = Labelled(item, logits);
        var loss = PreferenceLosses.Cpo(pairs, options);
        double tolerance = GoldenTolerance.Of(logits.dtype);
        // The reference does not compute a likelihood whose weight is 0.
        var likelihood = options.LikelihoodWeight > 0 ? -pairs.Chosen.sum() / pairs.ChosenLengths!.sum() : zeros_like(loss.Loss);
        Metrics(item, loss, likelihood, tolerance);
        GoldenTolerance.Close(
            item.Expected("chosen_logps"),
            options.LengthNormalized ? pairs.Chosen / pairs.ChosenLengths! : pairs.Chosen,
            "chosen_logps"
        );
        GoldenTolerance.Close(
            item.Expected("rejected_logps"),
            options.LengthNormalized ? pairs.Rejected / pairs.RejectedLengths! : pairs.Rejected,
            "rejected_logps"
        );
        TensorAssert.Close(
            item.Gradient("logits"),
            Numbers.Gradient(z => PreferenceLosses.Cpo(Labelled(item, z), options).Loss, logits),
            tolerance,
            "gradient of logits"
        );
    }

    private static void OrpoFromLogProbs(GoldenCase item)
    {
        var one = ones(item.Input("chosen_logps").shape[0]);
        var pairs = new PairLogProbs(item.Input("chosen_logps"), item.Input("rejected_logps"), one, one);
        PreferenceLoss Loss(PairLogProbs policy) => PreferenceLosses.Orpo(policy, Beta(item));
        // The reference's losses are negative, and its trainer subtracts them.
        CheckPairs(item, pairs, Loss, 3e-5, sign: -1);
        TensorAssert.Close(item.Expected("losses"), -Loss(pairs).PairLosses, 3e-5, "losses");
        TensorAssert.Close(item.ExpectedNumber("log_odds_ratio"), -Loss(pairs).PairLosses.mean() / Beta(item), 3e-5, "log_odds_ratio");
    }

    private static void Orpo(GoldenCase item)
    {
        var logits = item.Input("logits");
        var ids = GoldenTokens.Targets(item.Input("chosen_input_ids"));
        var mask = GoldenTokens.Targets(item.Input("chosen_attention_mask"));
        // The reference's likelihood covers the prompt, too.
        Tensor Likelihood(Tensor z) => SupervisedLosses.NegativeLogLikelihood(z.chunk(2, 0)[0].narrow(1, 0, ids.shape[1]), ids, mask).Loss;
        PreferenceLoss Loss(Tensor z) => PreferenceLosses.Orpo(Labelled(item, z), Beta(item), Likelihood(z));
        var loss = Loss(logits);
        Metrics(item, loss, Likelihood(logits), 3e-5, sign: -1);
        TensorAssert.Close(item.ExpectedNumber("metrics", "log_odds_ratio"), -loss.PairLosses.mean() / Beta(item), 3e-5, "log_odds_ratio");
        TensorAssert.Close(item.Gradient("logits"), Numbers.Gradient(z => Loss(z).Loss, logits), 3e-5, "gradient of logits");
    }

    private static void Tpo(GoldenCase item)
    {
        var options = Options(item, normalize: true);
        var logits = item.Input("logits");
        var (targets, mask) = (
            GoldenTokens.Targets(item.Input("input_ids")),
            GoldenTokens.Targets(item.Input("completion_mask") * item.Input("attention_mask"))
        );
        bool withGold = options.LikelihoodWeight > 0;
        PairLogProbs Pairs(Tensor z, out Tensor gold, out Tensor goldLengths)
        {
            int parts = withGold ? 3 : 2;
            var (values, masks) = (TokenLogProbs.Gather(GoldenTokens.Predicting(z), targets, mask).chunk(parts, 0), mask.chunk(parts, 0));
            (gold, goldLengths) = withGold ? (Masked.Sum(values[2], masks[2], 1), masks[2].sum(1L)) : (z.new_zeros(0), z.new_zeros(0));
            return PairLogProbs.Of(values[0], values[1], masks[0], masks[1]);
        }
        PreferenceLoss Loss(Tensor z)
        {
            var pairs = Pairs(z, out var gold, out var lengths);
            return PreferenceLosses.Tpo(pairs, gold, lengths, options);
        }
        var (loss, all) = (Loss(logits), Pairs(logits, out _, out _));
        GoldenTolerance.Close(item.Expected("per_sequence_loss"), loss.PairLosses, "per_sequence_loss");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(
            item.Expected("chosen_logps"),
            options.LengthNormalized ? all.Chosen / all.ChosenLengths! : all.Chosen,
            "chosen_logps"
        );
        GoldenTolerance.Close(
            item.Expected("rejected_logps"),
            options.LengthNormalized ? all.Rejected / all.RejectedLengths! : all.Rejected,
            "rejected_logps"
        );
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/chosen"), loss.ChosenRewards.mean(), "rewards/chosen");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/rejected"), loss.RejectedRewards.mean(), "rewards/rejected");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/accuracies"), loss.Accuracy, "rewards/accuracies");
        GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(z => Loss(z).Loss, logits), "gradient of logits");
    }
}
