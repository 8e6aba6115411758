using System.Globalization;
using PostTrain.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>verl.json, kind rollout_correction: weights, mask and every metric.</summary>
internal static class VerlCorrectionGolden
{
    private static readonly Dictionary<string, string> Gap = new()
    {
        ["training_ppl"] = "perplexity",
        ["training_log_ppl"] = "log_perplexity",
        ["rollout_ppl"] = "sampler_perplexity",
        ["rollout_log_ppl"] = "sampler_log_perplexity",
        ["kl"] = "kl",
        ["k3_kl"] = "kl_k3",
        ["log_ppl_diff"] = "log_perplexity_gap",
        ["log_ppl_abs_diff"] = "log_perplexity_gap_abs",
        ["log_ppl_diff_max"] = "log_perplexity_gap_max",
        ["log_ppl_diff_min"] = "log_perplexity_gap_min",
        ["ppl_ratio"] = "perplexity_ratio",
        ["chi2_token"] = "chi2",
        ["chi2_seq"] = "sequence_chi2",
    };

    // Of weights after "rollout_is_", and of rejections after their name.
    private static readonly Dictionary<string, (string Weights, string Rejection)> Suffixes = new()
    {
        ["mean"] = ("weight", ""),
        ["std"] = ("weight_std", "_std"),
        ["max"] = ("weight_max", "_max"),
        ["min"] = ("weight_min", "_min"),
        ["ratio_fraction_high"] = ("weight_above", ""),
        ["ratio_fraction_low"] = ("weight_below", ""),
        ["fraction_high"] = ("", "_above"),
        ["fraction_low"] = ("", "_below"),
        ["eff_sample_size"] = ("effective_sample_size", ""),
        ["oob_ratio"] = ("weight_masked", ""),
        ["batch_norm_factor"] = ("weight_normalizer", ""),
        ["seq_mean"] = ("sequence_weight", "_sequence"),
        ["seq_std"] = ("sequence_weight_std", "_sequence_std"),
        ["seq_max"] = ("sequence_weight_max", "_sequence_max"),
        ["seq_min"] = ("sequence_weight_min", "_sequence_min"),
        ["seq_max_deviation"] = ("sequence_weight_deviation", "_sequence_deviation"),
        ["seq_fraction_high"] = ("sequence_weight_above", "_sequence_above"),
        ["seq_fraction_low"] = ("sequence_weight_below", "_sequence_below"),
        ["masked_fraction"] = ("", "_rejected"),
        ["seq_masked_fraction"] = ("", "_rejected_sequences"),
    };

    internal static void Check(GoldenCase item)
    {
        var (trainer, sampler, mask) = (item.Input("old_log_prob"), item.Input("rollout_log_prob"), item.Input("response_mask"));
        var rejections = Rejections(item);
        var correction = Correction(item, rejections);
        var result = (correction ?? ImportanceCorrection.Tis()).Apply(trainer, sampler, mask);
        TensorAssert.Same(item.Expected("mask"), result.Mask, "mask");
        if (item.HasExpected("weights"))
        {
            var weights = result.Weights;
            var perToken = weights.dim() == 1 ? weights.unsqueeze(1).expand_as(mask).masked_fill(mask == 0, 0) : weights;
            TensorAssert.Close(item.Expected("weights"), perToken, 1e-9, "weights");
        }
        var unused = correction is { IsWeighted: true } ? result.Metrics.Keys.ToHashSet() : [];
        foreach (var entry in item.Json("expected", "metrics").EnumerateObject())
        {
            var (name, value) = Ours(entry.Name, rejections, result, correction, (trainer, sampler, mask));
            unused.Remove(name);
            double expected = entry.Value.GetDouble();
            Assert.True(Math.Abs(value - expected) <= 1e-7 * (1 + Math.Abs(expected)), $"{entry.Name} is {value:R}, expected {expected:R}");
        }
        // Everything that ours reports is in the reference; it leaves out what cannot lie below a bound of 0.
        Assert.DoesNotContain(unused, name => !name.EndsWith("_below", StringComparison.Ordinal));
    }

    private static (string Name, double Value) Ours(
        string peer,
        IReadOnlyDictionary<string, RolloutRejection> rejections,
        CorrectedRollouts result,
        ImportanceCorrection? correction,
        (Tensor Trainer, Tensor Sampler, Tensor Mask) inputs
    )
    {
        if (Gap.TryGetValue(peer, out var gap))
            return (gap, WithEmptySequences(gap, result.Metrics, inputs.Mask));
        if (peer == "rollout_rs_masked_fraction")
            return ("rejected", result.Metrics["rejected"]);
        if (peer == "rollout_rs_seq_masked_fraction")
        {
            // The reference counts sequences without a token among all.
            double counted = inputs.Mask.any(1).sum().ToDouble();
            return ("rejected_sequences", result.Metrics["rejected_sequences"] * counted / inputs.Mask.shape[0]);
        }
        if (
            rejections.FirstOrDefault(rule => peer.StartsWith($"rollout_rs_{rule.Key}_", StringComparison.Ordinal)) is
            { Key: not null } rule
        )
        {
            string own = rule.Value.Name + Suffixes[peer[$"rollout_rs_{rule.Key}_".Length..]].Rejection;
            return (own, result.Metrics[own]);
        }
        string name = Suffixes[peer["rollout_is_".Length..]].Weights;
        // The reference's extremes are those of the weights before the bounds, if they are of whole sequences.
        if (name is "weight_max" or "weight_min" && correction!.WholeSequences)
            return (
                name,
                new ImportanceCorrection(double.PositiveInfinity, WholeSequences: true)
                    .Apply(inputs.Trainer, inputs.Sampler, inputs.Mask)
                    .Metrics[name]
            );
        return (name, WithEmptySequences(name, result.Metrics, inputs.Mask));
    }

    // The reference takes sequences without a token into its numbers of sequences, as log-perplexity, weight and sum 0; ours leave them
    // out.
    private static double WithEmptySequences(string name, IReadOnlyDictionary<string, double> metrics, Tensor mask)
    {
        double value = metrics[name],
            all = mask.shape[0],
            full = mask.any(1).sum().ToDouble();
        if (full == all)
            return value;
        double Mean(double mean, double empty) => (mean * full + empty * (all - full)) / all;
        switch (name)
        {
            case "perplexity" or "sampler_perplexity" or "perplexity_ratio":
                return Mean(value, 1);
            case "sequence_chi2":
                return Mean(value, 0);
            case "sequence_weight_std":
                double mean = metrics["sequence_weight"],
                    squares = (full - 1) * value * value + full * mean * mean,
                    own = Mean(mean, 0);
                return Math.Sqrt((squares - all * own * own) / (all - 1));
            case "sequence_weight_deviation":
                return Math.Max(value, 1);
            case "sequence_weight_below":
                return Mean(value, 1);
            case var _
                when !name.Contains("log_perplexity", StringComparison.Ordinal) && !name.StartsWith("sequence", StringComparison.Ordinal):
                return value;
            case var _ when name.EndsWith("_max", StringComparison.Ordinal):
                return Math.Max(value, 0);
            case var _ when name.EndsWith("_min", StringComparison.Ordinal):
                return Math.Min(value, 0);
            default:
                return Mean(value, 0);
        }
    }

    private static ImportanceCorrection? Correction(GoldenCase item, Dictionary<string, RolloutRejection> rejections)
    {
        string? level = item.Text("rollout_is");
        bool normalizes = item.Flag("rollout_is_batch_normalize");
        if (level is null)
            return rejections.Count == 0 ? null : ImportanceCorrection.Reject([.. rejections.Values]);
        var (lower, upper) = Bounds(Threshold(item, "rollout_is_threshold"));
        var bounded = lower is { } least ? ImportanceCorrection.IcePop(least, upper) : ImportanceCorrection.Tis(upper);
        return bounded with
        {
            WholeSequences = level switch
            {
                "token" => false,
                "sequence" => true,
                _ => throw new NotSupportedException($"rollout_is is {level}, expected token or sequence"),
            },
            Normalizes = normalizes,
            Rejections = [.. rejections.Values],
        };
    }

    private static Dictionary<string, RolloutRejection> Rejections(GoldenCase item)
    {
        if (item.Text("rollout_rs") is not { } names)
            return [];
        var thresholds = Threshold(item, "rollout_rs_threshold").Split(',');
        return names
            .Split(',')
            .Zip(thresholds)
            .ToDictionary(
                pair => pair.First,
                pair =>
                {
                    var (lower, upper) = Bounds(pair.Second);
                    var level = pair.First[..^3] switch
                    {
                        "token" => RejectionLevel.Token,
                        "seq_sum" => RejectionLevel.SequenceSum,
                        "seq_mean" => RejectionLevel.SequenceMean,
                        "seq_max" => RejectionLevel.SequenceMax,
                        var other => throw new NotSupportedException($"rollout_rs has {other}, which no test knows"),
                    };
                    return pair.First[^2..] switch
                    {
                        "k1" => RolloutRejection.K1(level, upper, lower),
                        "k2" => RolloutRejection.K2(level, upper),
                        "k3" => RolloutRejection.K3(level, upper),
                        var other => throw new NotSupportedException($"rollout_rs has {other}, which no test knows"),
                    };
                }
            );
    }

    private static string Threshold(GoldenCase item, string name) =>
        item.Text(name) ?? item.Parameters.Value(name).GetDouble().ToString("R", CultureInfo.InvariantCulture);

    private static (double? Lower, double Upper) Bounds(string threshold)
    {
        double[] numbers = [.. threshold.Split('_').Select(part => double.Parse(part, CultureInfo.InvariantCulture))];
        return numbers.Length == 1 ? (null, numbers[0]) : (numbers[0], numbers[1]);
    }
}
