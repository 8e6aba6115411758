using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>ppo.json.</summary>
internal static class PpoGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["kl_estimators"] = new(Estimators),
            ["kl_penalty"] = new(Penalty),
            ["masked_whiten"] = new(Whiten),
            ["truncate_response"] = new(Truncate),
            ["gae"] = new(Gae),
            ["ppo_loss"] = new(Loss),
            ["compute_rewards"] = new(Rewards),
            ["adaptive_kl"] = new(AdaptiveKl),
            ["ppo_step"] = new(Step),
        };

    // The reference's n/(n − 1) of the unbiased variance is a float32 number, so what has been whitened is good to about 1e-8.
    private static void AfterWhitening(Tensor expected, Tensor actual, string what) =>
        TensorAssert.Close(expected, actual, Math.Max(1e-7, GoldenTolerance.Of(actual.dtype)), what);

    private static void AfterWhitening(double expected, Tensor actual, string what) =>
        TensorAssert.Close(expected, actual, Math.Max(1e-7, GoldenTolerance.Of(actual.dtype)), what);

    private static void Estimators(GoldenCase item)
    {
        var (logProbs, reference) = (item.Input("logprobs"), item.Input("ref_logprobs"));
        foreach (var (name, estimator) in new[] { ("k1", KlEstimator.K1), ("k2", KlEstimator.K2), ("k3", KlEstimator.K3) })
            GoldenTolerance.Close(item.Expected(name), KlDivergence.Estimate(logProbs, reference, estimator), name);
    }

    private static void Penalty(GoldenCase item)
    {
        var (logProbs, reference) = (item.Input("logprobs"), item.Input("ref_logprobs"));
        foreach (var (name, estimator) in new[] { ("kl", KlEstimator.K1), ("abs", KlEstimator.Absolute), ("mse", KlEstimator.K2) })
            GoldenTolerance.Close(item.Expected(name), KlDivergence.Estimate(logProbs, reference, estimator), name);
        GoldenTolerance.Close(
            item.Expected("full"),
            KlDivergence.Exact(item.Input("full_logprobs"), item.Input("full_ref_logprobs")),
            "full"
        );
    }

    private static void Whiten(GoldenCase item)
    {
        var (values, mask, weight) = (item.Input("values"), item.Input("mask"), item.Input("weight"));
        bool keepMean = !item.Flag("shift_mean");
        Tensor Whitened(Tensor x) => Masked.Whiten(x, mask, keepMean, unbiased: true);
        AfterWhitening(Masked.Counted(item.Expected("whitened"), mask), Whitened(values), "whitened");
        AfterWhitening(item.ExpectedNumber("mean"), Masked.Mean(values, mask), "mean");
        AfterWhitening(item.ExpectedNumber("var"), Masked.Variance(values, mask, unbiased: true), "variance");
        AfterWhitening(item.ExpectedNumber("var_biased"), Masked.Variance(values, mask), "biased variance");
        // The reference scales what does not count along with the rest, and lets it into the gradient of this sum.
        Tensor Scaled(Tensor x)
        {
            var mean = Masked.Mean(x, mask);
            var scaled = (x - mean) * (Masked.Variance(x, mask, unbiased: true) + 1e-8).rsqrt();
            return where(mask, Whitened(x), keepMean ? scaled + mean : scaled);
        }
        AfterWhitening(item.Expected("whitened"), Scaled(values), "whitened everywhere");
        AfterWhitening(item.Gradient("values"), Numbers.Gradient(x => (Scaled(x) * weight).sum(), values), "gradient");
    }

    private static void Truncate(GoldenCase item)
    {
        var responses = item.Input("responses");
        var kept = CompletionMasks.UpToStop(responses, (long)item.Parameter("stop_token_id", -1));
        TensorAssert.Same(item.Expected("responses"), responses.masked_fill(kept.logical_not(), (long)item.Parameter("pad_token_id", -1)));
    }

    private static void Gae(GoldenCase item)
    {
        var mask = item.Input("mask");
        var (rewards, values) = (Masked.Counted(item.Input("rewards"), mask), Masked.Counted(item.Input("values"), mask));
        if (item.Flag("whiten_rewards"))
            rewards = WhitenEverywhere(rewards, mask, keepMean: true);
        // The reference takes every position for a step, with reward and value 0 where the mask says no.
        var estimate = Advantages.Gae(rewards, values, ones_like(mask), item.Parameter("gamma", 1), item.Parameter("lam", 1));
        GoldenTolerance.Close(item.Expected("values"), values, "values");
        AfterWhitening(item.Expected("raw_advantages"), estimate.Advantages, "advantages before whitening");
        AfterWhitening(item.Expected("returns"), estimate.Returns, "returns");
        AfterWhitening(
            Masked.Counted(item.Expected("advantages"), mask),
            Masked.Whiten(estimate.Advantages, mask, unbiased: true),
            "advantages"
        );
    }

    private static Tensor WhitenEverywhere(Tensor x, Tensor mask, bool keepMean)
    {
        var mean = Masked.Mean(x, mask);
        var scaled = (x - mean) * (Masked.Variance(x, mask, unbiased: true) + 1e-8).rsqrt();
        return keepMean ? scaled + mean : scaled;
    }

    private static void Loss(GoldenCase item)
    {
        var mask = item.Input("mask");
        var (logProbs, old, values) = (item.Input("logprobs"), item.Input("old_logprobs"), item.Input("vpreds"));
        PolicyLoss Policy(Tensor x) =>
            PolicyLosses.ClippedSurrogate(x, old, item.Input("advantages"), mask, item.Parameter("cliprange", 0));
        ValueLoss Value(Tensor x) =>
            PolicyLosses.Value(x, item.Input("values"), item.Input("returns"), mask, item.Parameter("cliprange_value", 0));
        double weight = item.Parameter("vf_coef", 1);
        // The reference drops a batch whose mean ratio is higher.
        Assert.InRange(Masked.Mean((logProbs - old).exp(), mask).ToDouble(), 0, item.Parameter("ratio_threshold", double.PositiveInfinity));
        var (policy, value) = (Policy(logProbs), Value(values));
        GoldenTolerance.Close(item.ExpectedNumber("pg_loss"), policy.Loss, "policy loss");
        GoldenTolerance.Close(item.ExpectedNumber("vf_loss_times_coef"), value.Loss * weight, "value loss");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), policy.Loss + value.Loss * weight, "loss");
        GoldenTolerance.Close(item.ExpectedNumber("stats", "policy/clipfrac"), policy.ClipFraction, "clip fraction");
        GoldenTolerance.Close(item.ExpectedNumber("stats", "val/clipfrac"), value.ClipFraction, "clip fraction of the value");
        GoldenTolerance.Close(
            item.ExpectedNumber("stats", "policy/entropy"),
            Masked.Mean(TokenLogProbs.Entropy(item.Input("logits")), mask),
            "entropy"
        );
        GoldenTolerance.Close(
            item.ExpectedNumber("stats", "policy/approxkl"),
            Masked.Mean(KlDivergence.Estimate(logProbs, old, KlEstimator.K2), mask),
            "k2"
        );
        GoldenTolerance.Close(
            item.ExpectedNumber("stats", "policy/policykl"),
            Masked.Mean(KlDivergence.Estimate(old, logProbs, KlEstimator.K1), mask),
            "k1"
        );
        GoldenTolerance.Close(item.Gradient("logprobs"), Numbers.Gradient(x => Policy(x).Loss, logProbs), "gradient of log-probs");
        GoldenTolerance.Close(item.Gradient("vpreds"), Numbers.Gradient(x => Value(x).Loss * weight, values), "gradient of values");
    }

    private static void Rewards(GoldenCase item)
    {
        var (logProbs, reference, scores, mask) = (
            item.Input("logprobs"),
            item.Input("ref_logprobs"),
            item.Input("scores"),
            item.Input("mask")
        );
        double beta = item.Parameter("kl_coef", 0);
        // The penalty of what does not count is not looked at by anybody; ours is 0.
        GoldenTolerance.Close(
            Masked.Counted(item.Expected("rewards"), mask),
            TokenRewards.WithKl(logProbs, reference, scores, mask, beta),
            "rewards"
        );
        GoldenTolerance.Close(
            Masked.Counted(item.Expected("non_score_rewards"), mask),
            TokenRewards.WithKl(logProbs, reference, zeros_like(scores), mask, beta),
            "penalties"
        );
        GoldenTolerance.Close(item.Expected("kl"), KlDivergence.Estimate(logProbs, reference, KlEstimator.K1), "kl");
    }

    private static void AdaptiveKl(GoldenCase item)
    {
        var control = KlControl.Adaptive(item.Parameter("init_kl_coef", 0), item.Parameter("target", 0), item.Parameter("horizon", 0));
        double[] expected = item.ExpectedNumbers("value"),
            measured = item.InputNumbers("kl");
        for (int i = 0; i < measured.Length; i++)
        {
            control = control.Next(measured[i], (long)item.Parameter("n_steps", 0));
            Assert.Equal(expected[i], control.Coefficient, 1e-14);
        }
    }

    // One batch of PPO from logits to the loss and its gradients, as the reference's training loop does it.
    private static void Step(GoldenCase item)
    {
        var responses = item.Input("responses");
        double temperature = item.Parameter("temperature", 1) + 1e-7;
        var kept = CompletionMasks.UpToStop(responses, (long)item.Parameter("stop_token_id", -1));
        long padding = (long)item.Parameter("pad_token_id", -1);
        responses = responses.masked_fill(kept.logical_not(), padding);
        TensorAssert.Same(item.Expected("postprocessed_responses"), responses);
        var finished = responses.eq((long)item.Parameter("eos_token_id", -1)).any(1);
        // The reference counts up to the token before the first padding; positions of values are one longer.
        var mask = item.Expected("padding_mask").logical_not();
        var valueMask = item.Expected("padding_mask_p1").logical_not();
        var padded = responses.eq(padding).to_type(ScalarType.Int64);
        TensorAssert.Same(padded.cumsum(1).eq(0), mask, "mask");

        Tensor LogProbs(Tensor logits) => TokenLogProbs.Gather(logits, responses, mask);
        var old = LogProbs(item.Input("logits"));
        var reference = LogProbs(item.Input("ref_logits") / temperature);
        GoldenTolerance.Close(Masked.Counted(item.Expected("logprobs"), mask), old, "log-probs");
        GoldenTolerance.Close(Masked.Counted(item.Expected("ref_logprobs"), mask), reference, "reference log-probs");
        var scores = TokenRewards.PenalizeUnfinished(item.Input("scores"), finished, item.Parameter("missing_eos_penalty", 0));
        GoldenTolerance.Close(item.Expected("scores"), scores, "scores");
        var estimator = item.Text("kl_estimator") switch
        {
            "k1" => KlEstimator.K1,
            "k3" => KlEstimator.K3,
            var other => throw new NotSupportedException($"kl_estimator is {other}, expected k1 or k3"),
        };
        double beta = item.Parameter("kl_coef", 0);
        GoldenTolerance.Close(item.Expected("kl"), KlDivergence.Estimate(old, reference, mask, estimator), "kl");
        // Its score stands where the last value stands: one position behind the last token.
        var rewards =
            TokenRewards.WithKl(old, reference, zeros_like(scores), mask, beta, estimator) + TokenRewards.AtLastToken(scores, valueMask);
        if (item.Flag("whiten_rewards"))
            rewards = Masked.Whiten(rewards, valueMask, keepMean: true, unbiased: true);
        AfterWhitening(item.Expected("rewards"), rewards, "rewards");
        var values = Masked.Counted(item.Input("values"), valueMask);
        AfterWhitening(item.Expected("values"), values, "values");
        var estimate = Advantages.Gae(rewards, values, valueMask, item.Parameter("gamma", 1), item.Parameter("lam", 1));
        AfterWhitening(Masked.Counted(item.Expected("returns"), valueMask), estimate.Returns, "returns");
        var advantages = Masked.Whiten(estimate.Advantages, mask, unbiased: true);
        AfterWhitening(Masked.Counted(item.Expected("advantages"), mask), advantages, "advantages");

        PolicyLoss Policy(Tensor logits) =>
            PolicyLosses.ClippedSurrogate(LogProbs(logits / temperature), old, advantages, mask, item.Parameter("cliprange", 0));
        ValueLoss Value(Tensor x) => PolicyLosses.Value(x, values, estimate.Returns, valueMask, item.Parameter("cliprange_value", 0));
        double weight = item.Parameter("vf_coef", 1);
        var (logits, predicted) = (item.Input("new_logits"), item.Input("vpred"));
        var (policy, value) = (Policy(logits), Value(predicted));
        AfterWhitening(item.ExpectedNumber("pg_loss"), policy.Loss, "policy loss");
        AfterWhitening(item.ExpectedNumber("vf_loss"), value.Loss, "value loss");
        AfterWhitening(item.ExpectedNumber("loss"), policy.Loss + value.Loss * weight, "loss");
        // The reference's fractions went through float32.
        TensorAssert.Close(item.ExpectedNumber("pg_clipfrac"), policy.ClipFraction, 1e-6, "clip fraction");
        TensorAssert.Close(item.ExpectedNumber("vf_clipfrac"), value.ClipFraction, 1e-6, "clip fraction of the value");
        AfterWhitening(item.Gradient("new_logits"), Numbers.Gradient(x => Policy(x).Loss, logits), "gradient of logits");
        AfterWhitening(item.Gradient("vpred"), Numbers.Gradient(x => Value(x).Loss * weight, predicted), "gradient of values");
    }
}
