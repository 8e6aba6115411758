using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Extending;

/// <summary>A user's part does what the library's own does: the same formula gives the same training to the bit, and wrong results are
/// refused by name.</summary>
public sealed class OpenUnionTests
{
    private static readonly PreferencePair[] Pairs =
    [
        new("0=", "ab", "b"),
        new("1+1=", "a", "bcd"),
        new("2=", "aab", "ba"),
        new("7=", "d", "c"),
    ];

    // PPO's clip at 0.2, in the order of operations of PolicySurrogate.Clip.
    private static readonly PolicySurrogate OwnClip = PolicySurrogate.Of(
        "own clip",
        inputs =>
        {
            var ratio = inputs.Exponent.exp();
            var (free, bounded) = (ratio * inputs.Advantages, ratio.clamp(0.8, 1.2) * inputs.Advantages);
            return new SurrogateTerms(minimum(free, bounded).neg(), (bounded < free).logical_and(inputs.Mask));
        }
    );

    [Fact]
    public async Task SurrogateAdvantageAggregationAndControl_TrainLikeOurs()
    {
        var ours = PolicyObjectives.Grpo() with
        {
            Surrogate = PolicySurrogate.Clip(0.2),
            Advantage = AdvantageMethod.GroupCentred,
            Aggregation = LossAggregation.TokenMean,
            Beta = 0,
        };
        var own = ours with
        {
            Surrogate = OwnClip,
            Advantage = AdvantageMethod.Of(
                "own mean",
                inputs => (inputs.Rewards.view(-1, inputs.GroupSize) - inputs.Rewards.view(-1, inputs.GroupSize).mean([1L], true)).view(-1),
                leastGroup: 2
            ),
            Aggregation = LossAggregation.Of(
                "own mean",
                mask => ones_like(mask).to_type(ScalarType.Float32),
                mask => mask.to_type(ScalarType.Float64).sum().ToDouble()
            ),
        };
        var (expected, wanted) = await Train(ours, KlControl.Adaptive(0.1, 1));
        var (actual, got) = await Train(
            own,
            KlControl.Of("own control", 0.1, (kl, samples) => 1 + Math.Clamp(kl - 1, -0.2, 0.2) * samples / 10_000)
        );
        Toy.Near(expected, actual);
        foreach (var (before, after) in wanted.Zip(got))
        {
            Assert.Equal(before.Keys, after.Keys);
            Assert.All(before, metric => Assert.Equal(metric.Value, after[metric.Key], 1e-5 * (1 + Math.Abs(metric.Value))));
        }

        static async Task<(byte[] Bytes, Dictionary<string, double>[] Reports)> Train(PolicyObjective objective, KlControl control)
        {
            using var model = Toy.Model();
            using var reference = Toy.Model(seed: 2);
            var options = GrpoRuns.Small with
            {
                Objective = objective,
                Kl = KlPenalty.Loss(control),
                UpdatesPerBatch = 2,
                MicroBatchSize = 3,
                Steps = 4,
            };
            var reports = await GrpoRuns.Train(model, GrpoRuns.Even, options, reference);
            return (Toy.Bytes(model), [.. reports.Select(Toy.Numbers)]);
        }
    }

    public static TheoryData<string> Preferences => ["loss", "margin", "divergence"];

    [Theory]
    [MemberData(nameof(Preferences))]
    public void PreferenceParts_TrainLikeOurs(string part)
    {
        var own = part switch
        {
            "loss" => new DpoOptions { Loss = DpoLoss.Of("own", (scores, beta) => (1 - scores.Difference() * beta).relu()) },
            "margin" => new DpoOptions { Loss = DpoLoss.OfMargin(MarginLoss.Of("own", (margins, _) => (1 - margins).relu())) },
            _ => new DpoOptions { Loss = MarginLoss.Hinge, Divergence = FDivergence.Of("own", ratios => ratios * 1) },
        };
        Toy.Near(Train(new DpoOptions { Loss = MarginLoss.Hinge }), Train(own));

        static byte[] Train(DpoOptions options)
        {
            using var model = Toy.Model();
            using var reference = Toy.Model(seed: 2);
            using var trainer = new DpoTrainer(
                model,
                Toy.Tokenizer,
                ReferencePolicyOf(reference),
                options with
                {
                    Steps = 4,
                    BatchSize = 3,
                    MicroBatchSize = 2,
                }
            );
            Assert.Equal(4, trainer.Run(Pairs).Count());
            return Toy.Bytes(model);
        }
    }

    [Fact]
    public void Divergence_IsOurs_WithItsGradient()
    {
        using var scope = NewDisposeScope();
        var own = Divergence.Of("own", (student, teacher) => teacher.exp() * (teacher - student));
        var (x, p) = (Numbers.Uniform(1, 2, 2, 3, 5), Numbers.Uniform(2, 2, 2, 3, 5).log_softmax(-1));
        Tensor Loss(Tensor logits, Divergence divergence) => divergence.Between(logits.log_softmax(-1), p).sum();
        TensorAssert.Close(Loss(x, Divergence.ForwardKl), Loss(x, own), 1e-14);
        TensorAssert.Close(Numbers.Gradient(at => Loss(at, Divergence.ForwardKl), x), Numbers.Gradient(at => Loss(at, own), x), 1e-14);
    }

    [Fact]
    public void Support_IsOurs_WithItsGradient()
    {
        using var scope = NewDisposeScope();
        var own = DistillationSupport.Of(
            "own top 2",
            (student, teacher) =>
            {
                var (_, tokens) = teacher.topk(2, -1);
                return (student.gather(-1, tokens).log_softmax(-1), teacher.gather(-1, tokens).log_softmax(-1));
            }
        );
        var (x, z, mask) = (Numbers.Uniform(1, 2, 2, 3, 5), Numbers.Uniform(2, 2, 2, 3, 5), Numbers.Mask(3, 2, 3));
        Tensor Loss(Tensor logits, DistillationSupport support) =>
            DistillationLosses.Distill(logits, z, mask, new DistillationObjective { Support = support, Temperature = 2 }).Loss;
        var ours = DistillationSupport.TopK(2, SupportTail.Renormalize);
        TensorAssert.Same(Loss(x, ours), Loss(x, own));
        TensorAssert.Same(Numbers.Gradient(at => Loss(at, ours), x), Numbers.Gradient(at => Loss(at, own), x));
        Says(
            "the support 'sum' returned shape [",
            () => Loss(x, DistillationSupport.Of("sum", (student, teacher) => (student.sum(0L), teacher.sum(0L))))
        );
        Says(
            "the support 'unlike' returned",
            () => Loss(x, DistillationSupport.Of("unlike", (student, teacher) => (student, teacher.narrow(1, 0, 2))))
        );
    }

    [Fact]
    public void Schedule_IsOurs_AndWarmsUp()
    {
        var own = LearningRateSchedule.Of("own", (step, warmup, total) => 1 - (double)(step - warmup) / (total - warmup));
        for (long step = 0; step < 20; step++)
            Assert.Equal(LearningRateSchedule.Linear.Multiplier(step, 5, 20), own.Multiplier(step, 5, 20), 1e-15);
        Assert.Contains(
            "'own' returned 1.2",
            Assert.Throws<InvalidOperationException>(() => LearningRateSchedule.Of("own", (_, _, _) => 1.2).Multiplier(1, 0, 2)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ResultsThatDoNotFit_AreRefusedByName()
    {
        using var scope = NewDisposeScope();
        var (logProbs, mask) = (zeros(2, 3), ones(2, 3));
        Says(
            "the surrogate 'flat' returned Float32 of shape [2], expected floating point of shape [2, 3] as logProbs",
            () => PolicyLosses.Surrogate(logProbs, logProbs, ones(2), mask, PolicySurrogate.Of("flat", inputs => inputs.LogProbs.sum(1L)))
        );
        Says(
            "the surrogate 'none' returned no tensor",
            () => PolicyLosses.Surrogate(logProbs, logProbs, ones(2), mask, PolicySurrogate.Of("none", _ => null!))
        );
        Says(
            "the loss 'sum' returned Float32 of shape [], expected floating point of shape [2]",
            () =>
                PreferenceLosses.Dpo(
                    new(zeros(2), zeros(2)),
                    new(zeros(2), zeros(2)),
                    new DpoObjective { Loss = DpoLoss.Of("sum", (scores, _) => scores.Difference().sum()) }
                )
        );
        Says(
            "the loss 'whole' returned Int64",
            () => MarginLoss.Of("whole", (margins, _) => margins.to_type(ScalarType.Int64)).Evaluate(zeros(2), 1)
        );
        Says("the divergence 'wide'", () => FDivergence.Of("wide", ratios => ratios.unsqueeze(0)).Score(zeros(2)));
        Says("the divergence 'narrow'", () => Divergence.Of("narrow", (student, _) => student.sum(-1L)).Terms(zeros(2, 3), zeros(2, 3)));
        Says(
            "the advantage 'one' returned Float64 of shape [1], expected floating point of shape [4] as the rewards",
            () => AdvantageMethod.OfRewards("one", (rewards, _) => rewards.narrow(0, 0, 1)).Compute(zeros(4, dtype: ScalarType.Float64), 2)
        );
        Says(
            "the aggregation 'negative' returned a denominator of -1",
            () => LossAggregation.Of("negative", mask => ones_like(mask), _ => -1).Apply(logProbs, mask)
        );
        Says("the control 'wild' returned NaN", () => KlControl.Of("wild", 0.1, (_, _) => double.NaN).Next(1, 1));
    }

    private static void Says(string message, Action call) =>
        Assert.Contains(message, Assert.Throws<InvalidOperationException>(call).Message, StringComparison.Ordinal);

    private static PostTrain.Models.ReferencePolicy ReferencePolicyOf(PostTrain.Models.CausalLm model) =>
        PostTrain.Models.ReferencePolicy.Of(model);
}
