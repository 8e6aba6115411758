using PostTrain.Numerics;
using PostTrain.Policy.Losses;
using PostTrain.Policy.Losses.Surrogates;
using PostTrain.Tests.Support;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>verl.json: policy losses, KL penalties, value losses. docs/policy.md states the differences.</summary>
internal static class VerlGolden
{
    // ε of the reference's divisions by a number of tokens.
    private const double GeometricMeanTolerance = 1e-8;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["rollout_correction"] = new(VerlCorrectionGolden.Check),
            ["policy_loss"] = new(PolicyLoss),
            ["kl_penalty"] = new(Penalty),
            ["value_loss"] = new(Value),
            ["advantages"] = new(VerlAdvantagesGolden.Check),
        };

    private static void PolicyLoss(GoldenCase item)
    {
        var (mask, old) = (item.Input("response_mask"), item.Input("old_log_prob"));
        string loss = item.Text("loss")!;
        var (surrogate, ratio) = Surrogate(item, loss);
        var aggregation = Aggregation(item, loss, mask);
        double? denominator = Denominator(item, aggregation, mask);
        var (advantages, weights) = (item.Input("advantages"), item.HasInput("weights") ? item.Input("weights") : null);
        // The reference multiplies a sequence's geometric mean by that of the weights: one weight a sequence here.
        if (weights is not null && loss == "geo_mean")
            weights = Masked.Mean(weights.log(), mask, 1).exp();
        PolicyLoss Loss(Tensor logProbs) =>
            PolicyLosses.Surrogate(logProbs, old, advantages, mask, surrogate, ratio, null, weights, aggregation, denominator);

        var logProbs = item.Input("log_prob");
        double tolerance = loss == "geo_mean" ? GeometricMeanTolerance : 1e-9;
        var result = Loss(logProbs);
        TensorAssert.Close(item.ExpectedNumber("loss"), result.Loss, tolerance, "loss");
        TensorAssert.Close(item.Gradient("log_prob"), Numbers.Gradient(x => Loss(x).Loss, logProbs), tolerance, "gradient");
        var k1 = KlDivergence.Estimate(old, logProbs, mask, KlEstimator.K1);
        Tensor Clipped(PolicySurrogate other) =>
            PolicyLosses.Surrogate(logProbs, old, advantages, mask, other, aggregation: aggregation).ClipFraction;
        Metrics(
            item,
            loss,
            k1,
            mask,
            surrogate switch
            {
                // The reference counts the tokens of high covariance, not those that the clip has taken before.
                ClipCovSurrogate cov => result.ClipFraction - Clipped(PolicySurrogate.Clip(cov.Range)),
                // And those beyond the cap, which keep a gradient here.
                DppoSurrogate dppo => result.ClipFraction + Clipped(PolicySurrogate.Cispo(dppo.Cap)),
                // And those beyond the range on the side that is not bounded.
                GmpoSurrogate gmpo => Masked.Mean((k1 > gmpo.Range.Lower).logical_or(k1 < -gmpo.Range.Upper).to_type(k1.dtype), mask),
                _ => result.ClipFraction,
            }
        );
    }

    // The reference counts bounds above and below apart, and its divergence from the old policy is k1; KL-Cov's is |log ρ|.
    private static void Metrics(GoldenCase item, string loss, Tensor k1, Tensor mask, Tensor clipFraction)
    {
        var metrics = item.Json("expected", "metrics")
            .EnumerateObject()
            .ToDictionary(entry => entry.Name, entry => entry.Value.GetDouble());
        if (metrics.Remove("ppo_kl", out double kl))
            TensorAssert.Close(kl, Masked.Mean(loss == "kl_cov" ? k1.abs() : k1, mask), 1e-7, "ppo_kl");
        double clipped = metrics.Remove("pg_clipfrac", out double above) ? above : 0;
        if (metrics.Remove("pg_clipfrac_lower", out double below))
            clipped += below;
        // KL-Cov's marks are its penalised tokens, which the reference does not report.
        if (loss != "kl_cov")
            TensorAssert.Close(clipped, clipFraction, 1e-7, "clip fraction");
        Assert.Empty(metrics);
    }

    private static (PolicySurrogate Surrogate, RatioLevel Ratio) Surrogate(GoldenCase item, string loss)
    {
        double both = item.Parameter("clip_ratio", 0.2),
            cap = item.Parameter("clip_ratio_c", 3),
            low = item.Parameter("clip_ratio_low", both),
            high = item.Parameter("clip_ratio_high", both);
        var clip = new ClipRange(low, high);
        return loss switch
        {
            "vanilla" => (PolicySurrogate.DualClip(clip, cap), RatioLevel.Token),
            "dppo_tv" => (PolicySurrogate.DppoTv(clip, cap), RatioLevel.Token),
            "dppo_kl" => (PolicySurrogate.DppoKl(clip, cap), RatioLevel.Token),
            "gspo" => (PolicySurrogate.Clip(clip), RatioLevel.SequenceToken),
            "sapo" => (PolicySurrogate.Sapo(item.Parameter("tau_pos", 1), item.Parameter("tau_neg", 1.05)), RatioLevel.Token),
            "gpg" or "reinforce" => (PolicySurrogate.PolicyGradient, RatioLevel.Token),
            "kl_cov" => (PolicySurrogate.KlCov(item.Parameter("kl_cov_ratio", 2e-4), item.Parameter("ppo_kl_coef", 1)), RatioLevel.Token),
            "clip_cov" => (
                PolicySurrogate.ClipCov(
                    clip,
                    item.Parameter("clip_cov_ratio", 2e-4),
                    item.Parameter("clip_cov_lb", 1),
                    item.Parameter("clip_cov_ub", 5)
                ),
                RatioLevel.Token
            ),
            "geo_mean" => (PolicySurrogate.Gmpo(clip), RatioLevel.Token),
            "dro" => (PolicySurrogate.Dro(item.Parameter("dro_beta", 0)), RatioLevel.Token),
            // The reference's bounds are distances from 1; CISPO's here are the weights themselves.
            "cispo" => (PolicySurrogate.Cispo(1 + high, 1 - low), RatioLevel.Token),
            _ => throw new NotSupportedException($"loss is {loss}, which no test knows"),
        };
    }

    // GSPO, SAPO and the geometric mean have an aggregation of their own in the reference.
    private static LossAggregation Aggregation(GoldenCase item, string loss, Tensor mask)
    {
        string mode = item.Text("loss_agg_mode")!;
        double length = item.Parameter("loss_scale_factor", mask.shape[1]);
        return (loss is "gspo" or "sapo" or "geo_mean" ? "seq-mean-token-mean" : mode) switch
        {
            "token-mean" => LossAggregation.TokenMean,
            "token-sum" => LossAggregation.TokenSum,
            "seq-mean-token-sum" => LossAggregation.SequenceMeanOfSums,
            "seq-mean-token-sum-norm" => LossAggregation.SequenceSum(length),
            "seq-mean-token-mean" => LossAggregation.NonEmptySequenceMean,
            var other => throw new NotSupportedException($"loss_agg_mode is {other}, which no test knows"),
        };
    }

    // The reference divides by the whole batch's tokens or sequences and multiplies by the number of ranks, whose gradients it averages.
    private static double? Denominator(GoldenCase item, LossAggregation aggregation, Tensor mask)
    {
        double ranks = item.Parameter("dp_size", 1),
            tokens = item.Parameter("batch_num_tokens", 0),
            sequences = item.Parameter("global_batch_size", 0);
        double whole = tokens + sequences;
        return whole == 0 ? aggregation.Denominator(mask) / ranks : whole / ranks;
    }

    private static void Penalty(GoldenCase item)
    {
        var estimator = item.Text("kind") switch
        {
            "k1" => KlEstimator.K1,
            "k2" => KlEstimator.K2,
            "k3" => KlEstimator.K3,
            "abs" => KlEstimator.Absolute,
            "k1+" => KlEstimator.K1StraightThrough,
            "k3+" => KlEstimator.K3StraightThrough,
            var other => throw new NotSupportedException($"kind is {other}, which no test knows"),
        };
        var (logProbs, reference) = (item.Input("log_prob"), item.Input("ref_log_prob"));
        Tensor Estimate(Tensor x) => KlDivergence.Estimate(x, reference, estimator);
        TensorAssert.Close(item.Expected("kl"), Estimate(logProbs), 1e-9, "estimate");
        TensorAssert.Close(item.Gradient("log_prob"), Numbers.Gradient(x => Estimate(x).sum(), logProbs), 1e-9, "gradient");
    }

    private static void Value(GoldenCase item)
    {
        var mask = item.Input("response_mask");
        var aggregation = Aggregation(item, "value", mask);
        ValueLoss Loss(Tensor values) =>
            PolicyLosses.Value(
                values,
                item.Input("values"),
                item.Input("returns"),
                mask,
                item.Parameter("cliprange_value", 0),
                aggregation
            );
        var values = item.Input("vpreds");
        var result = Loss(values);
        TensorAssert.Close(item.ExpectedNumber("loss"), result.Loss, 1e-9, "loss");
        TensorAssert.Close(item.ExpectedNumber("clipfrac"), result.ClipFraction, 1e-9, "clip fraction");
        TensorAssert.Close(item.Gradient("vpreds"), Numbers.Gradient(x => Loss(x).Loss, values), 1e-9, "gradient");
    }
}
