using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>preference.json: losses of completions that the policy has just written.</summary>
internal static class OnlinePreferenceGolden
{
    private static DpoObjective Options(GoldenCase item) =>
        new()
        {
            Beta = item.Parameter("beta", double.NaN),
            Loss = item.Text("loss_type") switch
            {
                "sigmoid" => MarginLoss.Sigmoid(),
                "ipo" => DpoLoss.Ipo(lengthNormalized: false),
                var other => throw new NotSupportedException($"loss_type is {other}"),
            },
        };

    internal static void NashMd(GoldenCase item)
    {
        var (logProbs, reference, wins) = (item.Input("logps"), item.Input("ref_logps"), item.Input("probability"));
        // Padding holds zeros in this file, and its gradient there is the sum's: everything counts.
        NashMdLoss Loss(Tensor x) =>
            PreferenceLosses.NashMd(x, reference, wins, ones_like(reference), item.Parameter("beta", double.NaN), perTokenKl: true);
        var loss = Loss(logProbs);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.Expected("score"), loss.Scores, "score");
        GoldenTolerance.Close(item.Expected("kl"), loss.Kl, "kl");
        GoldenTolerance.Close(item.Gradient("logps"), Numbers.Gradient(x => Loss(x).Loss, logProbs), "gradient of logps");
    }

    internal static void Xpo(GoldenCase item)
    {
        var fromPolicy = item.Input("chosen_mask");
        PairLogProbs Order(Tensor policyWrote, Tensor referenceWrote)
        {
            var (own, other) = (policyWrote.sum(1L), referenceWrote.sum(1L));
            return new PairLogProbs(where(fromPolicy, own, other), where(fromPolicy, other, own));
        }
        double alpha = item.Parameter("alpha", double.NaN);
        var (own, other) = (item.Input("model_logps_model_data"), item.Input("model_logps_ref_data"));
        var reference = Order(item.Input("ref_logps_model_data"), item.Input("ref_logps_ref_data"));
        PreferenceLoss Loss(Tensor x, Tensor y) => PreferenceLosses.Xpo(Order(x, y), reference, y.sum(1L), alpha, Options(item));
        var loss = Loss(own, other);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.Expected("dpo_losses"), loss.PairLosses, "dpo_losses");
        GoldenTolerance.Close(item.Expected("xpo_losses").mean(), loss.Loss - loss.PairLosses.mean(), "mean of xpo_losses");
        GoldenTolerance.Close(
            item.Gradient("model_logps_model_data"),
            Numbers.Gradient(x => Loss(x, other).Loss, own),
            "gradient of model_logps_model_data"
        );
        GoldenTolerance.Close(
            item.Gradient("model_logps_ref_data"),
            Numbers.Gradient(y => Loss(own, y).Loss, other),
            "gradient of model_logps_ref_data"
        );
    }

    internal static void OnlineDpo(GoldenCase item)
    {
        var (ids, mask) = (item.Input("completion_ids"), item.Input("completion_mask"));
        var rewards = item.Input("rewards");
        var ended = ids.eq((long)item.Parameter("eos_token_id", -1)).any(1);
        rewards = where(ended, rewards, rewards - item.Parameter("missing_eos_penalty", 0));
        long start = item.Input("prompt_ids").shape[1] - 1,
            length = ids.shape[1];
        Tensor LogProbs(Tensor z) => Masked.Sum(TokenLogProbs.Gather(CompletionLogits(z, start, length), ids, mask), mask, 1);
        var (logits, reference) = (item.Input("logits"), LogProbs(item.Input("ref_logits")));
        PreferenceLoss Loss(Tensor z) => PreferenceLosses.OnlineDpo(LogProbs(z), reference, rewards, Options(item));
        var (loss, selection) = (Loss(logits), PairSelection.ByReward(rewards));
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.Expected("losses"), loss.PairLosses, "losses");
        TensorAssert.Same(item.Expected("chosen_indices"), selection.Chosen, "chosen_indices");
        TensorAssert.Same(item.Expected("rejected_indices"), selection.Rejected, "rejected_indices");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/chosen"), loss.ChosenRewards.mean(), "rewards/chosen");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/rejected"), loss.RejectedRewards.mean(), "rewards/rejected");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/margins"), loss.Margins.mean(), "rewards/margins");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "rewards/accuracies"), loss.Accuracy, "rewards/accuracies");
        GoldenTolerance.Close(
            item.ExpectedNumber("metrics", "objective/scores_margin"),
            (rewards.index_select(0, selection.Chosen) - rewards.index_select(0, selection.Rejected)).mean(),
            "scores_margin"
        );
        GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(z => Loss(z).Loss, logits), "gradient of logits");
    }

    private static Tensor CompletionLogits(Tensor logits, long start, long length) => logits.narrow(1, start, length);

    internal static void OptimalAdvantage(GoldenCase item)
    {
        long kept = (long)item.Parameter("logits_to_keep", 0);
        var ids = item.Input("input_ids");
        long start = ids.shape[1] - kept;
        var targets = ids.narrow(1, start, kept);
        var mask = item.Input("attention_mask").narrow(1, start, kept);
        var advantages = item.Input("rewards") - item.Input("v_star");
        Tensor LogProbs(Tensor z) => Masked.Sum(TokenLogProbs.Gather(z.narrow(1, start - 1, kept), targets, mask), mask, 1);
        UnpairedLoss Loss(Tensor z) =>
            RegressionLosses.OptimalAdvantage(LogProbs(z), item.Input("ref_logps"), advantages, item.Parameter("beta2", double.NaN));
        var (logits, loss) = (item.Input("logits"), Loss(item.Input("logits")));
        GoldenTolerance.Close(item.ExpectedNumber("loss"), loss.Loss, "loss");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "implicit_reward"), loss.Rewards.mean(), "implicit_reward");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "advantage"), advantages.mean(), "advantage");
        GoldenTolerance.Close(item.Gradient("logits"), Numbers.Gradient(z => Loss(z).Loss, logits), "gradient of logits");
    }
}
