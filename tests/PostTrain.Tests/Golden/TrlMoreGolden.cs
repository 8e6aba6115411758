using System.Text.Json;
using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Grouped;
using PostTrain.Policy.Losses;
using PostTrain.Preference.Losses;
using PostTrain.Rewards;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>trlmore.json: distillation between vocabularies, weighted on-policy distillation, averages, rewards, buffers.</summary>
internal static class TrlMoreGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["uld_align"] = new(Align),
            ["uld"] = new(Uld),
            ["iw_opd"] = new(WeightedOnPolicy),
            ["adaptive_entropy"] = new(AdaptiveEntropy),
            ["bema"] = new(Bema),
            ["think_format_reward"] = new(ThinkFormat),
            ["repetition_penalty"] = new(Repetition),
            ["soft_overlong"] = new(SoftOverlong),
            ["cosine_scaled_reward"] = new(Cosine),
            ["replay_buffer"] = new(Replay),
            ["bco_weight"] = new(BcoWeight),
            ["router_aux_loss"] = new(Router),
        };

    private static void Align(GoldenCase item)
    {
        (int, int)[] Offsets(string name) => [.. item.InputRows(name).Select(pair => ((int)pair[0], (int)pair[1]))];
        var groups = TokenAlignment.Groups(Offsets("student"), Offsets("teacher"));
        Assert.Equal(Lists(item, "student_groups"), groups.Select(group => Range(group.StudentStart, group.StudentCount)));
        Assert.Equal(Lists(item, "teacher_groups"), groups.Select(group => Range(group.TeacherStart, group.TeacherCount)));
    }

    private static int[] Range(int start, int count) => [.. Enumerable.Range(start, count)];

    private static IEnumerable<int[]> Lists(GoldenCase item, string name) =>
        item.Json("expected", name).EnumerateArray().Select(group => group.EnumerateArray().Select(value => value.GetInt32()).ToArray());

    private static void Uld(GoldenCase item)
    {
        bool aligned = item.Flag("use_extended_uld"),
            hybrid = item.Flag("use_hybrid_loss");
        var merge = item.Text("token_merge_strategy") switch
        {
            "observed" => TokenMerge.Observed,
            "bayesian" => TokenMerge.Bayesian,
            var other => throw new NotSupportedException($"token_merge_strategy is {other}"),
        };
        // In both strategies the positions alone differ where no tokens are merged.
        var student = Side(item, "student", merge, aligned);
        var teacher = Side(item, "teacher", merge, aligned);
        double? Weight(string name) => item.HasParameter(name) ? item.Parameter(name, 0) : null;
        double beta = item.Parameter("beta", 0.5);
        var options = new CrossTokenizerObjective
        {
            Merge = merge,
            StudentTemperature = item.Parameter("student_temperature", 1),
            TeacherTemperature = item.Parameter("teacher_temperature", 1),
            Shared = hybrid ? Shared(item) : [],
            MatchedDivergence = Divergence.Gkd(beta),
            MatchedWeight = Weight("hybrid_matched_weight"),
            UnmatchedWeight = Weight("hybrid_unmatched_weight"),
        };
        double labels = item.Parameter("crossentropy_weight", 0),
            distance = item.Parameter("distillation_weight", 1);
        var given = item.Input("student_logits");
        CrossTokenizerLoss Of(Tensor logits) =>
            CrossTokenizerLosses.Uld(
                student.Rows(logits),
                teacher.Rows(item.Input("teacher_logits")),
                student.Answers,
                teacher.Answers,
                options
            );
        Tensor Loss(Tensor logits)
        {
            var loss = Of(logits).Loss * distance;
            if (labels == 0)
                return loss;
            // The reference's cross-entropy shifts, its answers' distributions do not.
            var targets = item.Input("student_labels").narrow(1, 1, logits.shape[1] - 1);
            var mask = targets.ne(-100).to_type(ScalarType.Float64);
            return loss
                + SupervisedLosses.NegativeLogLikelihood(logits.narrow(1, 0, logits.shape[1] - 1), targets.clamp_min(0), mask).Loss
                    * labels;
        }
        GoldenTolerance.Close(item.ExpectedNumber("loss"), Loss(given), "loss");
        GoldenTolerance.Close(item.Gradient("student_logits"), Numbers.Gradient(Loss, given), "gradient");
        if (!hybrid)
            return;
        // The reference remembers those of its last row.
        var parts = Of(given);
        GoldenTolerance.Close(item.ExpectedNumber("last_matched"), parts.Matched[-1], "matched");
        GoldenTolerance.Close(item.ExpectedNumber("last_unmatched"), parts.Unmatched[-1], "unmatched");
    }

    private static (int, int)[] Shared(GoldenCase item)
    {
        Dictionary<string, int> Vocabulary(string name) =>
            item.Json("params", name).EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32());
        var (own, other) = (Vocabulary("student_vocab"), Vocabulary("teacher_vocab"));
        return [.. own.Where(entry => other.ContainsKey(entry.Key)).Select(entry => (entry.Value, other[entry.Key]))];
    }

    // The answers' tokens, and how their rows are taken of the logits.
    private static (IReadOnlyList<AnswerTokens> Answers, Func<Tensor, Tensor> Rows) Side(
        GoldenCase item,
        string name,
        TokenMerge merge,
        bool aligned
    )
    {
        var (labels, ids, offsets) = (item.Input($"{name}_labels"), item.Input($"{name}_input_ids"), item.Input($"{name}_byte_offsets"));
        bool dropsEnd = item.Flag($"skip_{name}_eos");
        int length = (int)labels.shape[1];
        var rows = new List<long>();
        var answers = new List<AnswerTokens>();
        for (int row = 0; row < labels.shape[0]; row++)
        {
            int[] places = [.. Enumerable.Range(0, length).Where(at => labels[row, at].ToInt64() != -100)];
            if (dropsEnd)
                places = places[..^1];
            answers.Add(
                new AnswerTokens(
                    [.. places.Select(at => (int)ids[row, at].ToInt64())],
                    aligned ? [.. places.Select(at => ((int)offsets[row, at, 0].ToInt64(), (int)offsets[row, at, 1].ToInt64()))] : null
                )
            );
            rows.AddRange(places.Select(at => (long)row * length + at - (merge == TokenMerge.Bayesian ? 1 : 0)));
        }
        return (answers, logits => logits.reshape(-1, logits.shape[^1]).index_select(0, tensor(rows.ToArray())));
    }

    private static void WeightedOnPolicy(GoldenCase item)
    {
        // Its size is in the library's tolerance: it keeps a row without disagreement from dividing by 0.
        item.Only("epsilon", 1e-8);
        var mask = item.Input("labels").ne(-100).to_type(ScalarType.Float64);
        var tokens = item.Input("completion_tokens");
        double gamma = item.Parameter("gamma", 1),
            temperature = item.Parameter("temperature", 1);
        double? items = item.HasParameter("num_items_in_batch") ? item.Parameter("num_items_in_batch", 0) : null;
        var teacher = item.Input("teacher_log_probs");
        var drawn = item.HasInput("rollout_log_probs") ? item.Input("rollout_log_probs") : null;
        Tensor LogProbs(Tensor logits) => TokenLogProbs.Gather(logits / temperature, tokens, mask);
        Tensor Loss(Tensor logits)
        {
            var logProbs = LogProbs(logits);
            var scores = new PostTrain.Rollouts.CompletionScores(logProbs, logits / temperature);
            var part = new OnPolicyPart(scores, scores with { LogProbs = teacher }, tokens, mask, drawn);
            return OnPolicyObjective
                .ImportanceWeighted(gamma)
                .Loss(part, LossAggregation.TokenMean, items ?? mask.sum().ToDouble(), new MetricMeans());
        }
        var at = item.Input("student_logits");
        GoldenTolerance.Close(item.ExpectedNumber("loss"), Loss(at), "loss");
        GoldenTolerance.Close(item.Gradient("student_logits"), Numbers.Gradient(Loss, at), "gradient");
        var advantages = DistillationAdvantages.PerToken(drawn ?? LogProbs(at), teacher, mask);
        var weights = DistillationAdvantages.PrefixWeights(advantages, mask, gamma);
        GoldenTolerance.Close(
            item.ExpectedNumber("metrics", "mean_advantage"),
            Masked.Mean(weights * advantages, mask),
            "mean weighted advantage"
        );
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "mean_abs_advantage"), Masked.Mean(advantages.abs(), mask), "mean size");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "mean_weight"), Masked.Mean(weights, mask), "mean weight");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "min_weight"), weights.masked_fill(mask == 0, 9).min(), "least weight");
        GoldenTolerance.Close(item.ExpectedNumber("metrics", "max_weight"), weights.max(), "greatest weight");
    }

    private static void AdaptiveEntropy(GoldenCase item)
    {
        item.Only("first_window_entropy", "Infinity");
        var control = EntropyControl.Adaptive(
            item.Parameter("entropy_target", 0),
            item.Parameter("entropy_coef_delta", 0),
            item.Parameter("entropy_coef", 0)
        ) with
        {
            Minimum = item.Parameter("entropy_coef_min", 0),
            Maximum = item.Parameter("entropy_coef_max", 0),
        };
        var objective = item.Text("loss_type") switch
        {
            "grpo" => PolicyObjectives.Grpo(),
            "dapo" => PolicyObjectives.Dapo(),
            var other => throw new NotSupportedException($"loss_type is {other}"),
        };
        double parts = item.Parameter("gradient_accumulation_steps", 1),
            items = item.Parameter("num_items_in_batch", 0);
        double last = double.PositiveInfinity;
        var window = new List<(double Entropy, double Tokens)>();
        var expected = item.Json("expected", "steps").EnumerateArray().ToArray();
        foreach (var (step, i) in item.Json("inputs", "steps").EnumerateArray().Select((step, i) => (step, i)))
        {
            Tensor Of(string name) => GoldenCase.Read(step.GetProperty(name));
            var (ids, mask) = (Of("completion_ids"), Of("completion_mask").to_type(ScalarType.Float64));
            var logits = Of("logits").narrow(1, Of("prompt_ids").shape[1] - 1, ids.shape[1]);
            var logProbs = TokenLogProbs.Gather(logits, ids, mask);
            var entropy = TokenLogProbs.Entropy(logits);
            var batch = new PolicyBatch(logProbs, logProbs, Of("advantages"), mask) { Entropy = entropy };
            double mean = Masked.Mean(entropy, mask).ToDouble();
            double weight = control.Weight(last);
            // One of the accumulated parts: by the items of all, or a part's own mean over the number of parts.
            double denominator = item.Text("loss_type") == "dapo" ? items : mask.shape[0] * parts;
            double policy = (objective with { EntropyCoefficient = 0 })
                .Loss(batch, new PolicyDenominators(denominator, mask.sum().ToDouble()))
                .Loss.ToDouble();
            TensorAssert.Close(expected[i].GetProperty("policy_loss").GetDouble(), tensor(policy), 1e-9, $"policy loss of {i}");
            TensorAssert.Close(expected[i].GetProperty("loss").GetDouble(), tensor(policy - (weight * mean / parts)), 1e-9, $"loss of {i}");
            window.Add((mean, mask.sum().ToDouble()));
            if (step.GetProperty("last_of_step").GetBoolean())
            {
                last = window.Average(part => part.Entropy);
                control = control.Next(last);
                window.Clear();
            }
            Assert.Equal(expected[i].GetProperty("entropy_coef").GetDouble(), control.Coefficient, 1e-12);
            if (expected[i].GetProperty("window_entropy") is { ValueKind: JsonValueKind.Number } entropyOfWindow)
                Assert.Equal(entropyOfWindow.GetDouble(), last, 1e-9);
        }
    }

    private static void Bema(GoldenCase item)
    {
        var options = new BemaOptions
        {
            Every = (int)item.Parameter("update_freq", 400),
            After = (int)item.Parameter("update_after", 0),
            EmaPower = item.Parameter("ema_power", 0.5),
            BiasPower = item.Parameter("bias_power", 0.2),
            Lag = item.Parameter("lag", 10),
            Multiplier = item.Parameter("multiplier", 1),
            MinimumWeight = item.Parameter("min_ema_multiplier", 0),
        };
        var (weights, expected) = (item.Input("weights"), item.Expected("bema"));
        using var model = nn.Linear(3, 1, hasBias: false, dtype: ScalarType.Float64);
        void Set(long step)
        {
            using var mode = no_grad();
            model.weight!.copy_(weights[step].unsqueeze(0));
        }
        Set(0);
        using var average = new BemaAverage(model, options);
        for (long step = 1; step < weights.shape[0]; step++)
        {
            Set(step);
            average.AfterUpdate(new UpdateMoment(step, weights.shape[0] - 1, 1));
            using (average.Applied())
                GoldenTolerance.Close(expected[step - 1], model.weight!.detach().squeeze(0), $"after step {step}");
            GoldenTolerance.Close(weights[step], model.weight!.detach().squeeze(0), "the weights themselves");
        }
    }

    private static double[] Scores(IReward reward, IEnumerable<Completion> completions) =>
        [.. reward.ScoreAsync([.. completions], new RewardContext(0, 1)).AsTask().GetAwaiter().GetResult().Values];

    private static Completion Of(string text, int[]? tokens = null) => new(new Problem("?"), text, tokens ?? [], true);

    private static void ThinkFormat(GoldenCase item) =>
        Assert.Equal(
            item.ExpectedNumbers("rewards"),
            Scores(Reward.ThinkFormat(), item.Json("inputs", "completions").EnumerateArray().Select(text => Of(text.GetString()!)))
        );

    private static void Repetition(GoldenCase item) =>
        Close(
            item,
            Scores(
                Reward.Repetition((int)item.Parameter("ngram_size", 3), -item.Parameter("max_penalty", -1)),
                item.InputRows("completion_ids").Select(row => Of("", [.. row.Select(id => (int)id)]))
            )
        );

    private static void SoftOverlong(GoldenCase item) =>
        Close(
            item,
            Scores(
                Reward.SoftOverlong((int)item.Parameter("max_completion_len", 0), (int)item.Parameter("soft_punish_cache", 0)),
                item.InputNumbers("lengths").Select(length => Of("", new int[(int)length]))
            )
        );

    private static void Cosine(GoldenCase item)
    {
        var correct = item.Json("inputs", "correct").EnumerateArray().ToArray();
        var lengths = item.InputNumbers("lengths");
        // What cannot be judged has no reward.
        var judged = Reward.Of(
            "correct",
            completion =>
                correct[int.Parse(completion.Text, System.Globalization.CultureInfo.InvariantCulture)].ValueKind switch
                {
                    JsonValueKind.True => 1,
                    JsonValueKind.False => 0,
                    _ => double.NaN,
                }
        );
        var scores = Scores(
            Reward.CosineLength(judged, new CosineLengthOptions { MaximumLength = (int)item.Parameter("max_len", 1000) }),
            lengths.Select((length, i) => Of($"{i}", new int[(int)length]))
        );
        foreach (var (expected, score) in item.Json("expected", "rewards").EnumerateArray().Zip(scores))
            if (expected.ValueKind == JsonValueKind.Null)
                Assert.True(double.IsNaN(score));
            else
                Assert.Equal(expected.GetDouble(), score, 1e-9);
    }

    private static void Close(GoldenCase item, double[] scores)
    {
        var expected = item.ExpectedNumbers("rewards");
        Assert.Equal(expected.Length, scores.Length);
        Assert.All(expected.Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
    }

    private sealed record Scored(double Score, string Name);

    private static void Replay(GoldenCase item)
    {
        int capacity = (int)item.Parameter("max_size", 0);
        var kept = new List<Scored>();
        Scored Of(JsonElement pair) => new(pair[0].GetDouble(), pair[1].GetString()!);
        var contents = item.Json("expected", "contents").EnumerateArray().ToArray();
        foreach (var (add, i) in item.Json("inputs", "adds").EnumerateArray().Select((add, i) => (add, i)))
        {
            foreach (var pair in add.EnumerateArray())
                _ = ReplayBuffer.AddByScore(kept, Of(pair), scored => scored.Score, capacity);
            Assert.Equal(
                contents[i].EnumerateArray().Select(Of),
                kept.OrderBy(scored => scored.Score).ThenBy(scored => scored.Name, StringComparer.Ordinal)
            );
        }
    }

    private static void BcoWeight(GoldenCase item) =>
        GoldenTolerance.Close(
            item.Expected("weight"),
            PreferenceWeights.DensityRatio(
                item.Input("prob_desirable"),
                item.Parameter("min_density_ratio", 0.5),
                item.Parameter("max_density_ratio", 10)
            ),
            "weight"
        );

    private static void Router(GoldenCase item)
    {
        var layers = item.Tensors("inputs", "gate_logits");
        Assert.All(layers, layer => Assert.Equal((long)item.Parameter("num_experts", 0), layer.shape[1]));
        var mask = item.HasInput("attention_mask") ? item.Input("attention_mask").reshape(-1) : null;
        int choices = (int)item.Parameter("top_k", 1);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), RouterLosses.LoadBalance(layers, choices, mask), "loss");
        for (int layer = 0; layer < layers.Length; layer++)
        {
            int at = layer;
            Tensor Loss(Tensor logits) => RouterLosses.LoadBalance([.. layers.Select((own, i) => i == at ? logits : own)], choices, mask);
            if (item.HasGradient($"gate_logits.{at}"))
                GoldenTolerance.Close(item.Gradient($"gate_logits.{at}"), Numbers.Gradient(Loss, layers[at]), $"gradient {at}");
        }
    }
}
