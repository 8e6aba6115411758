using PostTrain.Training;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Tests.Training.Diagnostics;

/// <summary>A reward model that pays for length: r = quality + c·L. The policy's length drifts, the quality falls, and an alarm comes
/// before it has fallen by 5 %.</summary>
/// <remarks>The policy is a distribution over lengths 1..60, improved by exact mirror ascent on the reward, π ← π·exp(ηr)/Z; its metrics
/// are those of 64 completions drawn a step.</remarks>
public sealed class RewardHackingTests
{
    private const int Lengths = 60,
        Batch = 64;
    private const double LearningRate = 0.02;

    public static TheoryData<double, double, int> Cases
    {
        get
        {
            var cases = new TheoryData<double, double, int>();
            foreach (double bias in new[] { 0.07, 0.1, 0.2 })
            foreach (double start in new[] { 15.0, 18 })
                for (int seed = 0; seed < 5; seed++)
                    cases.Add(bias, start, seed);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void LengthBias_IsAlarmed_BeforeTheQualityHasFallenByFivePercent(double bias, double start, int seed)
    {
        var (alarms, fallen) = Simulate(bias, start, seed, evaluations: false);
        Assert.True(fallen < 2000, "the quality never fell: no hacking to be found");
        Assert.Contains(alarms, warning => warning.Name is "length-drift" or "one-reward-component" or "kl-acceleration");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void HeldOutQuality_AlarmsToo(double bias, double start, int seed) =>
        Assert.Contains(Simulate(bias, start, seed, evaluations: true).Alarms, warning => warning.Name == "proxy-above-gold");

    [Theory]
    [InlineData(15)]
    [InlineData(18)]
    public void HonestReward_AlarmsNobody(double start)
    {
        for (int seed = 0; seed < 5; seed++)
        {
            var (alarms, fallen) = Simulate(0, start, seed, evaluations: true, most: 500);
            Assert.Empty(alarms);
            Assert.Equal(500, fallen);
        }
    }

    // The warnings up to the step at which the quality is 5 % below its best, and that step.
    private static (IReadOnlyList<Warning> Alarms, int Fallen) Simulate(
        double bias,
        double start,
        int seed,
        bool evaluations,
        int most = 2000
    )
    {
        var random = new Random(seed);
        var diagnostics = new TrainingDiagnostics();
        double[] logits = [.. Enumerable.Range(1, Lengths).Select(length => -Math.Pow(length - start, 2) / 32)],
            first = Softmax(logits);
        double best = 0;
        for (int step = 1; step <= most; step++)
        {
            var policy = Softmax(logits);
            double quality = Enumerable.Range(1, Lengths).Sum(length => policy[length - 1] * Quality(length));
            best = Math.Max(best, quality);
            if (quality < 0.95 * best)
                return (diagnostics.Warnings, step);
            var drawn = Enumerable.Range(0, Batch).Select(_ => Draw(policy, random)).ToArray();
            var rewards = drawn.Select(length => Quality(length) + bias * length).ToArray();
            double mean = rewards.Average();
            var metrics = new Dictionary<string, double>
            {
                ["learning_rate"] = LearningRate,
                ["grad_norm"] = 1,
                ["reward/mean"] = mean,
                ["reward/std"] = Math.Sqrt(rewards.Average(reward => (reward - mean) * (reward - mean))),
                ["reward/quality"] = drawn.Average(Quality),
                ["completion/length"] = drawn.Average(),
                ["kl"] = policy.Zip(first).Sum(pair => pair.First * Math.Log(pair.First / pair.Second)) / drawn.Average(),
                ["entropy"] = -policy.Sum(p => p > 0 ? p * Math.Log(p) : 0),
            };
            if (bias > 0)
                metrics["reward/length"] = bias * drawn.Average();
            if (evaluations && step % 10 == 0)
                metrics["eval/reward/mean"] = quality;
            diagnostics.Report(new StepReport(step, 1, metrics, TimeSpan.FromSeconds(step)));
            for (int length = 1; length <= Lengths; length++)
                logits[length - 1] += LearningRate * (Quality(length) + bias * length);
        }
        return (diagnostics.Warnings, most);
    }

    private static double Quality(int length) => Math.Exp(-Math.Pow(length - 20, 2) / 200);

    private static int Draw(double[] policy, Random random)
    {
        double left = random.NextDouble();
        for (int i = 0; i < policy.Length; i++)
            if ((left -= policy[i]) < 0)
                return i + 1;
        return policy.Length;
    }

    private static double[] Softmax(double[] logits)
    {
        double largest = logits.Max(),
            total = logits.Sum(logit => Math.Exp(logit - largest));
        return [.. logits.Select(logit => Math.Exp(logit - largest) / total)];
    }
}
