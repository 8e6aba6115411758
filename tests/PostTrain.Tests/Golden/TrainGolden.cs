using System.Globalization;
using System.Text.Json;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>train.json: short runs of other trainers, replayed batch by batch: losses, gradient norms, learning rates, metrics and the
/// weights at the end.</summary>
internal static class TrainGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } = new Dictionary<string, GoldenKind> { ["train"] = new(Run) };

    private const double Tolerance = 1e-3;

    // Errors of single numbers go both ways; where all of them go one way, something is computed differently. Of a quantity's mean size,
    // and what float32 leaves of differences of large numbers.
    private const double Drift = 1e-5,
        Noise = 2e-6;

    // The reference's name of a metric, and ours.
    private static readonly (string Theirs, string Ours)[] Metrics =
    [
        ("rewards/chosen", "reward/chosen"),
        ("rewards/rejected", "reward/rejected"),
        ("rewards/margins", "reward/margin"),
        ("rewards/accuracies", "reward/accuracy"),
        ("logps/chosen", "logp/chosen"),
        ("logps/rejected", "logp/rejected"),
        ("kl", "kl"),
        ("nll_loss", "nll"),
        ("margin", "reward/margin"),
        ("accuracy", "reward/accuracy"),
        ("mean_reward", "reward/mean"),
    ];

    private static void Run(GoldenCase item)
    {
        using var replay = TrainReplay.Of(item);
        var options = Options(item);
        using var optimization = new Optimization(replay.Trained, options);
        int parts = (int)item.Parameter("gradient_accumulation_steps", 1);
        double share = item.Flag("divides_by_accumulation") ? 1.0 / parts : 1;
        var batches = item.Inputs.Objects("batches");
        var expectedLosses = item.ExpectedNumbers("micro_losses");
        var logs = item.Json("expected", "logs").EnumerateArray().ToArray();
        Assert.Equal(expectedLosses.Length, batches.Length);
        Assert.Equal(logs.Length * parts, batches.Length);

        List<Number> numbers = [];
        for (int step = 0; step < logs.Length; step++)
        {
            var means = new MetricMeans();
            replay.Trained.train();
            var update = optimization.Update(
                parts,
                part =>
                {
                    int index = step * parts + part;
                    var loss = replay.Loss(batches[index], means);
                    numbers.Add(new Number("micro loss", index, expectedLosses[index], loss.ToDouble(), 1e-6));
                    return loss * share;
                }
            );
            void Expect(string name, double actual, double rounding) =>
                numbers.Add(new Number(name, step, logs[step].GetProperty(name).GetDouble(), actual, rounding));
            Expect("loss", update.Loss, 1e-6);
            Expect("grad_norm", update.GradNorm, 1e-6);
            Assert.Equal(logs[step].GetProperty("learning_rate").GetDouble(), update.LearningRate, 1e-12);
            var metrics = new Dictionary<string, double>();
            means.AddTo(metrics);
            foreach (
                var (theirs, ours) in Metrics.Where(metric =>
                    !LogsMeans(item) || !metric.Ours.StartsWith("logp/", StringComparison.Ordinal)
                )
            )
                if (
                    metrics.TryGetValue(ours, out double value)
                    && logs[step].TryGetProperty(theirs, out _)
                    && !(ours == "reward/accuracy" && IsRounding(logs[step]))
                )
                    Expect(theirs, value, 1e-5);
        }
        foreach (var number in numbers)
            Assert.True(
                Math.Abs(number.Error) <= Tolerance,
                string.Create(CultureInfo.InvariantCulture, $"{number.Name} {number.Index}: off by {number.Error:R} of {number.Expected:R}")
            );
        foreach (var kind in numbers.GroupBy(number => number.Name))
        {
            double residual = kind.Average(number => number.Actual - number.Expected),
                size = kind.Average(number => Math.Abs(number.Expected));
            Assert.True(
                Math.Abs(residual) <= Drift * size + Noise,
                string.Create(CultureInfo.InvariantCulture, $"{kind.Key} is off by {residual:R} on average, its mean size being {size:R}")
            );
        }
        Weights(item, replay);
    }

    // The reference logs log-probs as its loss takes them: ORPO's, SimPO's and IPO's are means over tokens, ours always sums.
    private static bool LogsMeans(GoldenCase item) =>
        item.Text("trainer") == "ORPOTrainer" || (item.Text("trainer") == "CPOTrainer" && item.Text("loss_type") is "simpo" or "ipo");

    // While policy and reference agree, the sign of a margin says nothing.
    private static bool IsRounding(JsonElement log) =>
        log.TryGetProperty("rewards/margins", out var margin) && Math.Abs(margin.GetDouble()) < 1e-5;

    private static void Weights(GoldenCase item, TrainReplay replay)
    {
        using var file = SafetensorsFile.Open(Path.Combine(replay.Directory, "final.safetensors"));
        var names = item.Json("expected", "final_tensors").EnumerateObject().Select(tensor => tensor.Name).ToArray();
        Assert.Equal(file.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
        Assert.Equal(names.Length, replay.Weights.Count);
        foreach (string name in names)
        {
            using var scope = NewDisposeScope();
            // PEFT names an adapter in the model, but not in its files.
            var (expected, actual) = (file.Read(name), replay.Weights[name.Replace(".default.", ".", StringComparison.Ordinal)].detach());
            Assert.Equal(expected.shape, actual.shape);
            // The weights themselves have moved by some 1e-2.
            TensorAssert.Close(expected, actual, 1e-4, name);
            Assert.InRange((actual - expected).mean().ToDouble(), -1e-6, 1e-6);
        }
    }

    private static SftOptions Options(GoldenCase item) =>
        new()
        {
            Steps = (int)item.Parameter("max_steps", 0),
            LearningRate = item.Parameter("learning_rate", 0),
            Schedule = item.Text("lr_scheduler_type") switch
            {
                "cosine" => LearningRateSchedule.Cosine,
                "linear" => LearningRateSchedule.Linear,
                "constant" or "constant_with_warmup" => LearningRateSchedule.Constant,
                var other => throw new NotSupportedException($"lr_scheduler_type is {other}, expected cosine, linear or constant"),
            },
            // The reference's constant rate has no warm-up.
            WarmupSteps = item.Text("lr_scheduler_type") == "constant" ? 0 : (int)item.Parameter("warmup_steps", 0),
            WeightDecay = item.Parameter("weight_decay", 0),
            MaxGradNorm = item.Parameter("max_grad_norm", 0) is > 0 and var most ? most : double.PositiveInfinity,
            Beta1 = item.Parameter("adam_beta1", 0.9),
            Beta2 = item.Parameter("adam_beta2", 0.999),
            AdamEpsilon = item.Parameter("adam_epsilon", 1e-8),
        };

    private readonly record struct Number(string Name, int Index, double Expected, double Actual, double Rounding)
    {
        /// <summary>Relative, beyond the rounding of float32: losses cancel to 0 in a sum of advantages, and rewards are small differences
        /// of large log-probs.</summary>
        public double Error => Math.Abs(Expected - Actual) < Rounding ? 0 : (Actual - Expected) / Math.Abs(Expected);
    }
}
