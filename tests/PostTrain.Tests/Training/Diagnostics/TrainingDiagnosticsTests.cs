using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Tests.Training.Diagnostics;

public sealed class TrainingDiagnosticsTests
{
    /// <summary>A rule of a user's own.</summary>
    private sealed record LossIsSeven : DiagnosticRule
    {
        public override string Name => "loss-is-seven";

        public override string Advice => "Take another number.";

        public override Finding? Look(RunCourse course) => course["loss"].Last == 7 ? new Finding(7, "The loss is 7.") : null;
    }

    // Each course is worked out by hand: the step at which the rule's mean or count passes its threshold.
    public static TheoryData<string, int> Courses =>
        new()
        {
            { "learning-rate-warm-up", 2 },
            { "learning-rate-zero", 3 },
            { "zero-loss", 3 },
            { "no-gradient", 8 }, // 0 from step 6 on, 3 in a row
            { "exploding-gradient", 42 }, // 20 times the median at 41 and 42
            { "loss-not-falling", 100 }, // twice 50 steps
            { "clip-fraction-zero", 5 },
            { "equal-rewards", 13 }, // std 0 from step 11 on, 3 in a row
            { "zero-gradient-groups", 27 }, // 1 from step 21 on: 7 of 8 is above 0.8, 6 is not
            { "zero-advantages", 7 }, // at 7 alone
            { "stale-rollouts", 9 }, // at 9 alone
            { "entropy-collapse", 28 }, // 0.1 from step 21 on: (8 − k + 0.1k)/8 < 0.2 for k = 8
            { "length-drift", 24 }, // from 20 to 40 at step 21: (20(8 − k) + 40k)/8 ≥ 30 for k = 4
            { "kl-acceleration", 45 }, // 0.01 a step up to 40, then 0.1: 0.08 + 0.09·m(m + 1)/16 > 3·0.08 for m = 5
            { "one-reward-component", 22 }, // style from 0.1 to 0.3 at step 21: 0.2k/8 ≥ 0.1·(0.3 + 0.19) for k = 2
            { "proxy-above-gold", 40 }, // evaluations 0.5, 0.6, 0.55, 0.5 at 10, 20, 30, 40
            { "overfitting", 40 },
            { "not-finite", 30 }, // NaN at 30 alone
            { "unfinished-completions", 23 }, // 0 from step 21 on, 3 in a row
        };

    [Theory]
    [MemberData(nameof(Courses))]
    public void Course_RaisesItsWarning_AtTheStepAndOnce(string name, int step)
    {
        var warnings = TrainingDiagnostics
            .Of(Enumerable.Range(1, 120).Select(t => Course(name, t)))
            .Where(warning => warning.Name == name)
            .ToArray();
        var warning = Assert.Single(warnings);
        Assert.Equal(step, warning.Step);
        Assert.NotEmpty(warning.Message);
        Assert.NotEmpty(warning.Advice);
        Assert.Contains($"{name} at step {step}: ", warning.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void EveryRule_HasACourseAndASectionInTheDocs()
    {
        var names = TrainingDiagnostics.Defaults.Select(rule => rule.Name).Order().ToArray();
        Assert.Equal(names, Courses.Select(row => (string)row[0]).Order());
        var docs = File.ReadAllLines(Path.Combine(RepositoryFolder.Root, "docs", "diagnostics.md"));
        foreach (var name in names)
            Assert.Contains($"### {name}", docs);
    }

    [Fact]
    public void Shrinking_IsADriftToo()
    {
        // From 20 to 10 at step 21: 1.5·(160 − 10k)/8 ≤ 20 for k = 6.
        var warning = Assert.Single(
            TrainingDiagnostics.Of(Enumerable.Range(1, 60).Select(t => At(t, 1, ("completion/length", t <= 20 ? 20 : 10))))
        );
        Assert.Equal(("length-drift", 26L), (warning.Name, warning.Step));
    }

    [Fact]
    public void HealthySupervisedRun_SaysNothing()
    {
        var random = new Random(1);
        Assert.Empty(
            TrainingDiagnostics.Of(
                Enumerable
                    .Range(1, 400)
                    .Select(t =>
                        At(
                            t,
                            0.5 + 2 * Math.Exp(-t / 60.0) + 0.1 * random.NextDouble(),
                            [
                                ("learning_rate", 1e-4),
                                ("grad_norm", 0.5 + random.NextDouble()),
                                ("accuracy", 0.6),
                                .. Enumerable.Repeat(("eval/loss", 0.6 + 2 * Math.Exp(-t / 60.0)), t % 50 == 0 ? 1 : 0),
                            ]
                        )
                    )
            )
        );
    }

    [Fact]
    public void HealthyPolicyRun_SaysNothing()
    {
        var random = new Random(2);
        double Noise() => random.NextDouble() - 0.5;
        Assert.Empty(
            TrainingDiagnostics.Of(
                Enumerable
                    .Range(1, 400)
                    .Select(t =>
                    {
                        double done = 1 - Math.Exp(-t / 150.0);
                        return At(
                            t,
                            0.01 + 0.02 * random.NextDouble(),
                            ("learning_rate", 1e-5),
                            ("grad_norm", 0.3 + 0.2 * Noise()),
                            ("reward/mean", 0.3 + 0.6 * done + 0.05 * Noise()),
                            ("reward/std", 0.4 - 0.2 * done),
                            ("reward/correct", 0.2 + 0.5 * done + 0.05 * Noise()),
                            ("reward/format", 0.5 + 0.4 * done),
                            ("reward/zero_groups", 0.3 + 0.3 * done),
                            ("completion/length", 60 + 20 * done + 4 * Noise()),
                            ("completion/finished", 0.97),
                            ("kl", 0.2 * done + 0.01 * Noise()),
                            ("entropy", 1 - 0.6 * done),
                            ("policy/clip_fraction", t % 3 == 0 ? 0 : 0.01),
                            ("policy/old_kl", 1e-4),
                            ("eval/reward/mean", 0.3 + 0.55 * done)
                        );
                    })
            )
        );
    }

    // One update a batch: nothing is wrong, and what looks so is explained.
    [Fact]
    public void OnPolicyRun_GetsNotesAlone()
    {
        var warnings = TrainingDiagnostics.Of(
            Enumerable
                .Range(1, 100)
                .Select(t =>
                    At(
                        t,
                        1e-9 * t,
                        ("learning_rate", t == 1 ? 0 : 1e-5),
                        ("grad_norm", 0.3),
                        ("reward/mean", 0.5),
                        ("reward/std", 0.5),
                        ("policy/clip_fraction", 0),
                        ("policy/old_kl", 0)
                    )
                )
        );
        Assert.Equal([("zero-loss", 3L), ("clip-fraction-zero", 5)], warnings.Select(warning => (warning.Name, warning.Step)));
        Assert.All(warnings, warning => Assert.Equal(DiagnosticLevel.Note, warning.Level));
        Assert.Contains("The model is learning.", warnings[0].Advice, StringComparison.Ordinal);
        Assert.Contains("the gradient norm is 0.3", warnings[0].Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10, false)]
    [InlineData(20, true)]
    public void Warning_ComesAgain_AfterAQuietTimeOnly(int quiet, bool again)
    {
        // Rewards are equal in steps 11 to 20 and from 21 + quiet on.
        var steps = TrainingDiagnostics
            .Of(
                Enumerable
                    .Range(1, 80)
                    .Select(t => At(t, 1, ("reward/mean", 0.5), ("reward/std", t is >= 11 and <= 20 || t > 20 + quiet ? 0 : 0.5)))
            )
            .Where(warning => warning.Name == "equal-rewards")
            .Select(warning => warning.Step);
        Assert.Equal(again ? [13L, 43] : [13L], steps);
    }

    // Two runs into the same observer: the second, at a higher loss, is compared with itself alone.
    [Fact]
    public void StepsThatBeginAgain_AreAnotherRun()
    {
        var runs = new[] { 1.0, 30 }
            .SelectMany(scale =>
                Enumerable.Range(1, 120).Select(t => At(t, scale / Math.Max(1, t - 1), ("grad_norm", scale), ("learning_rate", t - 1)))
            )
            .ToArray();
        Assert.Equal(["learning-rate-warm-up", "learning-rate-warm-up"], TrainingDiagnostics.Of(runs).Select(warning => warning.Name));
    }

    // Batches of their own differ in their loss, and a policy's loss says nothing: a rate of 0 is not to be seen there.
    [Fact]
    public void WarmUp_IsMentionedOnlyWhereItLooksWrong()
    {
        StepReport Batch(int t, double loss, params (string, double)[] further) =>
            At(t, loss, [("learning_rate", 0.1 * (t - 1)), .. further]);
        Assert.Empty(TrainingDiagnostics.Of([Batch(1, 3), Batch(2, 3.1), Batch(3, 2.9)]));
        Assert.Empty(TrainingDiagnostics.Of([Batch(1, 3), Batch(2, 2.99), Batch(3, 2.99)]));
        Assert.Empty(TrainingDiagnostics.Of([Batch(1, 0.5, ("reward/mean", 1)), Batch(2, 0.5, ("reward/mean", 1))]));
        Assert.Empty(TrainingDiagnostics.Of([At(1, 3, ("learning_rate", 0.1)), At(2, 3, ("learning_rate", 0.1))]));
        Assert.Equal("learning-rate-warm-up", Assert.Single(TrainingDiagnostics.Of([Batch(1, 3), Batch(2, 3 + 1e-7), Batch(3, 3)])).Name);
    }

    // A reward model's mean reward drifts as it likes, and its chosen reward is no component of anything; the same numbers of a policy are
    // hacking.
    [Fact]
    public void RewardModel_IsNoPolicy()
    {
        StepReport[] Run(bool pairs) =>
            [
                .. Enumerable
                    .Range(1, 120)
                    .Select(t =>
                        At(
                            t,
                            5.0 / t,
                            [
                                ("reward/mean", 0.01 * t),
                                ("reward/std", 0.1),
                                ("reward/chosen", 0.02 * t),
                                ("reward/rejected", 0),
                                .. pairs ? [("reward/margin", 0.02 * t)] : ((string, double)[])[],
                                .. Evaluation("eval/reward/mean", t),
                            ]
                        )
                    ),
            ];
        Assert.Empty(TrainingDiagnostics.Of(Run(pairs: true)));
        Assert.Equal(
            ["one-reward-component", "proxy-above-gold"],
            TrainingDiagnostics.Of(Run(pairs: false)).Select(warning => warning.Name).Order()
        );
        // Its loss is judged as any other's.
        Assert.Equal(
            "loss-not-falling",
            Assert.Single(TrainingDiagnostics.Of(Run(pairs: true).Select(report => report with { Loss = 0.7 }))).Name
        );
    }

    [Fact]
    public void OneOutlier_IsNoExplosion_AndQuadraticKlIsNoAcceleration()
    {
        Assert.Empty(
            TrainingDiagnostics.Of(
                Enumerable.Range(1, 200).Select(t => At(t, 5.0 / t, ("grad_norm", t == 50 ? 1000 : 1), ("kl", 1e-4 * t * t)))
            )
        );
    }

    [Fact]
    public void ObserverAndRules_OfOnesOwn()
    {
        var told = new List<Warning>();
        var diagnostics = new TrainingDiagnostics(new Told(told), [new LossIsSeven(), new EqualRewards { Steps = 1 }]);
        diagnostics.Report(At(1, 6));
        diagnostics.Report(At(2, 7, ("reward/mean", 0.25), ("reward/std", 0)));
        diagnostics.Report(At(3, 7));
        Assert.Equal(["loss-is-seven", "equal-rewards"], told.Select(warning => warning.Name));
        Assert.Equal(0.25, told[1].Value);
        Assert.Equal("warning loss-is-seven at step 2: The loss is 7. Take another number.", told[0].ToString());
        Assert.Equal(told, diagnostics.Warnings);
    }

    [Fact]
    public void Thresholds_OutOfRange_AreNamed()
    {
        void Refused(string name, DiagnosticRule rule) =>
            Assert.Contains(
                name,
                Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingDiagnostics(rules: [rule])).Message,
                StringComparison.Ordinal
            );
        Refused("LengthDrift.Window must be from 1 to 128", new LengthDrift { Window = 129 });
        Refused("EqualRewards.Steps must be from 1 to 128", new EqualRewards { Steps = 0 });
        Refused("KlAcceleration.Factor must be above 1", new KlAcceleration { Factor = double.NaN });
        Refused("LossNotFalling.Fall", new LossNotFalling { Fall = 1 });
        Refused("ProxyAboveGold.Margin", new ProxyAboveGold { Margin = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingDiagnostics { QuietReports = 0 });
    }

    // A long run is watched in bounded memory, and values that are not finite are passed over.
    [Fact]
    public void Course_KeepsTheBeginningAndTheEnd()
    {
        var course = new MetricCourse();
        for (int i = 0; i < 10_000; i++)
        {
            course.Add(i, i);
            course.Add(i, double.NaN);
        }
        Assert.Equal(10_000, course.Count);
        Assert.Equal(63.5, course.FirstMean(128));
        Assert.Equal(9999, course.Last);
        Assert.Equal(9998.5, course.RecentMean(2));
        Assert.Equal(9995.5, course.RecentMean(2, skip: 3));
        Assert.Null(course.RecentMean(513));
        Assert.Equal((9488L, 9488.0), course.Recent().First());
        Assert.Equal(512, course.Recent().Count());
    }

    [Fact]
    public void MetricsLog_HoldsTheWarnings_AlsoOfAResumedRun()
    {
        using var directory = new TemporaryDirectory();
        Write("whole.jsonl", 1, null, 30);
        Write("resumed.jsonl", 1, null, 13);
        Write("resumed.jsonl", 12, 11, 30);
        Assert.Equal(File.ReadAllText(directory.File("whole.jsonl")), File.ReadAllText(directory.File("resumed.jsonl")));
        var warning = Assert.Single(MetricsLog.ReadWarnings(directory.File("whole.jsonl")));
        Assert.Equal(TrainingDiagnostics.Of(Enumerable.Range(1, 30).Select(Equal)).Single(), warning);
        Assert.Equal(("equal-rewards", 13L, 0.5), (warning.Name, warning.Step, warning.Value));
        Assert.Equal(30, MetricsLog.Read(directory.File("whole.jsonl")).Count);
        Assert.Contains(
            "\"warnings\":[{\"name\":\"equal-rewards\",\"level\":\"warning\",\"value\":0.5,\"message\":\"In each of the last 3 steps",
            File.ReadAllLines(directory.File("whole.jsonl"))[12],
            StringComparison.Ordinal
        );

        void Write(string file, int from, long? resume, int to)
        {
            using var log = MetricsLog.Open(directory.File(file), resume);
            for (int t = from; t <= to; t++)
                log.Report(Equal(t));
        }

        static StepReport Equal(int t) => Course("equal-rewards", t);
    }

    [Theory]
    [InlineData("[7]")]
    [InlineData("""[{"name":"x","level":"loud","value":1,"message":"m","advice":"a"}]""")]
    [InlineData("""[{"name":"x","level":"note","message":"m","advice":"a"}]""")]
    public void MetricsLog_BrokenWarning_IsNamed(string warnings)
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("metrics.jsonl", $"{{\"step\":1,\"loss\":1,\"elapsed_seconds\":1,\"warnings\":{warnings}}}\n");
        Assert.Contains(
            "line 1",
            Assert.Throws<InvalidDataException>(() => MetricsLog.ReadWarnings(path)).Message,
            StringComparison.Ordinal
        );
    }

    private static StepReport Course(string name, int t) =>
        name switch
        {
            "learning-rate-warm-up" => At(t, 5.0 / Math.Max(1, t - 1), ("learning_rate", 0.1 * (t - 1))),
            "learning-rate-zero" => At(t, 5.0 / t, ("learning_rate", 0)),
            "zero-loss" => At(t, 1e-8, ("grad_norm", 0.3), ("reward/mean", 0.5)),
            "no-gradient" => At(t, 5.0 / t, ("grad_norm", t < 6 ? 1 : 0)),
            "exploding-gradient" => At(t, 5.0 / t, ("grad_norm", t <= 40 ? 1 : 20)),
            "loss-not-falling" => At(t, 0.7),
            "clip-fraction-zero" => At(t, 5.0 / t, ("policy/clip_fraction", 0), ("policy/old_kl", 0)),
            "equal-rewards" => At(t, 5.0 / t, ("reward/mean", 0.5), ("reward/std", t <= 10 ? 0.5 : 0)),
            "zero-gradient-groups" => At(t, 5.0 / t, ("reward/mean", 0.5), ("reward/zero_groups", t <= 20 ? 0 : 1)),
            "zero-advantages" => At(t, 5.0 / t, t == 7 ? [("policy/zero_advantages", 1)] : []),
            "stale-rollouts" => At(t, 5.0 / t, t == 9 ? [("rollout/stale", 1), ("rollout/gap", 0.5)] : []),
            "entropy-collapse" => At(t, 5.0 / t, ("entropy", t <= 20 ? 1 : 0.1)),
            "length-drift" => At(t, 5.0 / t, ("completion/length", t <= 20 ? 20 : 40)),
            "kl-acceleration" => At(t, 5.0 / t, ("kl", t <= 40 ? 0.01 * t : 0.4 + 0.1 * (t - 40))),
            "one-reward-component" => At(
                t,
                5.0 / t,
                ("reward/mean", t <= 20 ? 0.3 : 0.5),
                ("reward/std", 0.19),
                ("reward/correct", 0.2),
                ("reward/style", t <= 20 ? 0.1 : 0.3)
            ),
            "proxy-above-gold" => At(t, 5.0 / t, [("reward/mean", 0.01 * t), .. Evaluation("eval/reward/mean", t)]),
            "overfitting" => At(t, 5.0 / t, [.. Evaluation("eval/loss", t).Select(metric => (metric.Item1, 2 - metric.Item2))]),
            "not-finite" => At(
                t,
                5.0 / t,
                [("kl", double.NaN), .. t % 10 == 0 ? [("eval/loss", t == 30 ? double.NaN : 1)] : Array.Empty<(string, double)>()]
            ),
            "unfinished-completions" => At(t, 5.0 / t, ("completion/length", 20), ("completion/finished", t <= 20 ? 0.5 : 0)),
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such course"),
        };

    private static (string, double)[] Evaluation(string metric, int t) =>
        t switch
        {
            10 => [(metric, 0.5)],
            20 => [(metric, 0.6)],
            30 => [(metric, 0.55)],
            _ => t % 10 == 0 ? [(metric, 0.5)] : [],
        };

    private static StepReport At(int step, double loss, params (string Name, double Value)[] metrics) =>
        new(step, loss, metrics.ToDictionary(metric => metric.Name, metric => metric.Value), TimeSpan.FromSeconds(step));

    private sealed class Told(List<Warning> warnings) : IProgress<Warning>
    {
        public void Report(Warning value) => warnings.Add(value);
    }
}
