using PostTrain.Kernels;
using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class PolicyKernelsTests
{
    private static readonly PolicySurrogate[] Surrogates =
    [
        PolicySurrogate.Clip(0.2),
        PolicySurrogate.Clip(new ClipRange(0.1, 0.28)),
        PolicySurrogate.DualClip(0.2, 1.5),
        PolicySurrogate.TwoSided(0.2, 1.1),
        PolicySurrogate.Ratio,
        PolicySurrogate.PolicyGradient,
        PolicySurrogate.Cispo(1.2),
        PolicySurrogate.Cispo(1.2, 0.9),
        PolicySurrogate.DppoTv(new ClipRange(0.02, 0.03)),
        PolicySurrogate.DppoKl(new ClipRange(0.01, 0.02), 1.2),
        PolicySurrogate.Sapo(),
        PolicySurrogate.Dro(0.3),
    ];

    private static readonly LossAggregation[] Aggregations =
    [
        LossAggregation.TokenMean,
        LossAggregation.SequenceMean,
        LossAggregation.SequenceSum(7),
        LossAggregation.TokenSum,
        LossAggregation.SequenceMeanOfSums,
    ];

    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void ClippedSurrogate_OfFourTokens_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // Ratios 1.5, 0.5, 1.1 and one that does not count; ε = 0.2, A = 2: −2·1.2, −2·0.5, −2·1.1.
        var logProbs = tensor(
            new double[,]
            {
                { Math.Log(1.5), Math.Log(0.5), Math.Log(1.1), double.NaN },
            }
        );
        var loss = PolicyKernels.ClippedSurrogate(
            logProbs,
            zeros_like(logProbs),
            tensor(new[] { 2.0 }),
            tensor(
                new double[,]
                {
                    { 1, 1, 1, 0 },
                }
            ),
            0.2
        );
        TensorAssert.Close([-2.4, -1, -2.2, 0], loss.TokenLosses, 1e-15);
        TensorAssert.Close([0, -1 / 3.0, -2.2 / 3, 0], loss.Gradient, 1e-15);
        KernelFuzz.Near(-5.6 / 3, loss.Loss, 1e-15, "loss");
        KernelFuzz.Near(1 / 3.0, loss.ClipFraction, 1e-15, "clip fraction");
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Objective_IsTheOracle_ForEverySurrogateLevelAndAggregation(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (var surrogate in Surrogates)
        {
            foreach (var level in Enum.GetValues<RatioLevel>())
            {
                foreach (var aggregation in Aggregations)
                {
                    using var scope = NewDisposeScope();
                    seed++;
                    var (rows, columns) = KernelFuzz.Shapes[seed % KernelFuzz.Shapes.Length];
                    // A ratio of 131 tokens is too sharp for float32's oracle.
                    if (level == RatioLevel.SequenceSum && columns > 50)
                        columns = 6;
                    var objective = new PolicyObjective
                    {
                        Name = $"{surrogate} of {level} by {aggregation}",
                        Surrogate = surrogate,
                        Ratio = level,
                        Aggregation = aggregation,
                        Beta = seed % 3 == 0 ? 0 : 0.3,
                        KlEstimator = (KlEstimator)(seed % 6),
                        CorrectKl = seed % 4 == 1,
                        EntropyCoefficient = seed % 7 == 0 ? 0.1 : 0,
                        EntropyAggregation = seed % 2 == 0 ? LossAggregation.TokenMean : null,
                    };
                    Check(objective, Batch(seed, type, strided, rows, columns), seed % 6 == 0 ? 19 : null, type);
                }
            }
        }
    }

    private static PolicyBatch Batch(int seed, ScalarType type, bool strided, long rows, long columns)
    {
        Tensor Make(int offset, double scale, double mean, params long[] shape) =>
            KernelFuzz.Make(10 * seed + offset, type, strided, scale, mean, shape);
        var mask = KernelFuzz.Holes(seed, type, strided, rows, columns);
        // What does not count is not read.
        var logProbs = KernelFuzz.Lay(Make(1, 0.4, -2, rows, columns).masked_fill(mask == 0, seed % 2 == 0 ? double.NaN : -2), strided);
        var advantages = seed % 2 == 0 ? Make(3, 1, 0, rows) : Make(3, 1, 0, rows, columns);
        if (advantages.numel() > 1)
            advantages.reshape(-1)[0] = 0;
        return new PolicyBatch(logProbs, Make(2, 0.4, -2, rows, columns), advantages, mask)
        {
            ReferenceLogProbs = seed % 3 == 0 && seed % 2 == 0 ? null : Make(4, 0.4, -2, rows, columns),
            Weights =
                seed % 5 == 0 ? Make(5, 0.5, 1, rows, columns)
                : seed % 5 == 1 ? Make(5, 0.5, 1, rows)
                : null,
            ImportanceWeights = seed % 4 == 0 ? Make(6, 0.5, 1, rows, columns) : null,
            Entropy = Make(7, 0.5, 1, rows, columns),
        };
    }

    private static void Check(PolicyObjective objective, PolicyBatch batch, double? denominator, ScalarType type)
    {
        string what = objective.ToString();
        using var oracle = Fused.Reference();
        double tolerance = KernelFuzz.Tolerance(type);
        var expected = objective.Loss(batch, denominator);
        var gradients = KernelFuzz.Gradients(
            x => objective.Loss(batch with { LogProbs = x[0], Entropy = x[1] }, denominator).Loss,
            batch.LogProbs,
            batch.Entropy!
        );
        var actual = PolicyKernels.Objective(objective, batch, denominator);
        TensorAssert.Close(expected.TokenLosses, actual.TokenLosses, tolerance, $"token losses, {what}");
        KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, tolerance, $"loss, {what}");
        TensorAssert.Close(gradients[0], actual.Gradient, tolerance, $"gradient, {what}");
        if (objective.EntropyCoefficient > 0)
            TensorAssert.Close(gradients[1], actual.EntropyGradient!, tolerance, $"gradient of entropy, {what}");
        else
            Assert.Null(actual.EntropyGradient);
        KernelFuzz.Near(expected.ClipFraction.ToDouble(), actual.ClipFraction, 1e-6, $"clip fraction, {what}");
        // The oracle reads the divergence from the old policy everywhere and masks afterwards.
        KernelFuzz.Near(expected.OldKl.ToDouble(), actual.OldKl, tolerance, $"old KL, {what}");
        KernelFuzz.Near(expected.Kl.ToDouble(), actual.Kl, tolerance, $"KL, {what}");
    }

    [Fact]
    public void Objective_StaysFiniteFarAway_AndKeepsANanThatCounts()
    {
        using var scope = NewDisposeScope();
        var far = tensor(
            new double[,]
            {
                { -1e4, -1, -1e4, -1 },
            }
        );
        var old = tensor(
            new double[,]
            {
                { -1, -1e4, -1e4, -1 },
            }
        );
        var advantages = tensor(
            new double[,]
            {
                { 1, 1, -1, 0 },
            }
        );
        Check(
            PolicyObjectives.Grpo(),
            new PolicyBatch(far, old, advantages, ones(1, 4)) { Entropy = zeros(1, 4) },
            null,
            ScalarType.Float64
        );
        var nan = PolicyKernels.ClippedSurrogate(
            tensor(
                new[,]
                {
                    { double.NaN, -1 },
                }
            ),
            zeros(1, 2),
            ones(1),
            ones(1, 2),
            0.2
        );
        Assert.True(double.IsNaN(nan.Loss));
        Assert.True(double.IsNaN(Numbers.Values(nan.Gradient)[0]));
        Assert.True(double.IsFinite(Numbers.Values(nan.Gradient)[1]));
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void Objective_IsTheOracle_BeyondTheBoundsOfItsExponents(ScalarType type)
    {
        // On both sides of ±20 for the ratio, and of 40 and 600 for k3; float32's oracle overflows farther away.
        double[] distances =
            type == ScalarType.Float64 ? [-700, -601, -599, -45, -39, -21, -19, 0, 19, 21, 45, 700] : [-45, -39, -21, -19, 0, 19, 21, 45];
        foreach (var surrogate in Surrogates)
        {
            foreach (var level in Enum.GetValues<RatioLevel>())
            {
                foreach (var estimator in Enum.GetValues<KlEstimator>())
                {
                    using var scope = NewDisposeScope();
                    var difference = tensor(distances, type).unsqueeze(0);
                    var logProbs = full_like(difference, -2);
                    var objective = new PolicyObjective
                    {
                        Name = $"{surrogate} of {level} with {estimator}",
                        Surrogate = surrogate,
                        Ratio = level,
                        Beta = 0.3,
                        KlEstimator = estimator,
                    };
                    // One at a time: where both are far, large numbers cancel.
                    var near = new PolicyBatch(logProbs, logProbs - 0.1, full_like(difference, -0.7), ones_like(difference))
                    {
                        ReferenceLogProbs = logProbs - difference,
                        Entropy = zeros_like(difference),
                    };
                    Check(objective, near, null, type);
                    var far = near with { OldLogProbs = logProbs - difference, ReferenceLogProbs = logProbs - 0.5 };
                    Check(objective with { CorrectKl = true }, far, null, type);
                    Check(objective with { CorrectKl = true }, far with { Advantages = full_like(difference, 0.7) }, null, type);
                }
            }
        }
    }

    [Theory]
    [InlineData(ScalarType.Bool)]
    [InlineData(ScalarType.Float32)]
    public void TokensOfWideVectors_AreThoseOfTheOthers(ScalarType type)
    {
        using var scope = NewDisposeScope();
        // 19 tokens: sixteen at once where the processor can, the last three beside them. Every third one repeats.
        Tensor Row(params float[] three) => tensor(Enumerable.Range(0, 19).Select(i => three[i % 3]).ToArray()).view(1, 19);
        foreach (
            var (current, old, reference) in new[]
            {
                (Row(-1, -2, -0.5f), Row(-1.3f, -1.9f, -0.5f), Row(-0.2f, -2.5f, -0.4f)),
                (Row(-1, -120, -30), Row(-30, -1, -1), Row(-110, -1, -100)),
                (Row(float.NaN, -1, float.NegativeInfinity), Row(-1, -1, -1), Row(-1, float.NegativeInfinity, -1)),
            }
        )
        {
            var batch = new PolicyBatch(current, old, tensor(new[] { -0.7f }), ones(1, 19).to_type(type)) { ReferenceLogProbs = reference };
            var loss = PolicyKernels.Objective(PolicyObjectives.Grpo() with { Beta = 0.3 }, batch);
            foreach (var found in new[] { loss.TokenLosses, loss.Gradient })
            {
                float[] values = found.data<float>().ToArray();
                for (int i = 3; i < values.Length; i++)
                    Assert.Equal(values[i - 3], values[i]);
            }
        }
    }

    [Fact]
    public void Objective_GivesTheGoldenGradients()
    {
        int count = 0;
        foreach (
            var item in GoldenFile
                .Load("grpo")!
                .Cases.Select(item => item.Open())
                .Where(item => item.Kind is "grpo" or "gspo_token" && item.Text("loss_type") is not ("luspo" or "vespo"))
        )
        {
            if (item.HasParameter("off_policy_mask_threshold") || item.Parameter("top_entropy_quantile", 1) < 1 || item.Flag("on_policy"))
                continue;
            using var scope = NewDisposeScope();
            var mask = item.HasInput("tool_mask") ? item.Input("completion_mask") * item.Input("tool_mask") : item.Input("completion_mask");
            var objective = GrpoGolden.Objective(item);
            var batch = new PolicyBatch(item.Expected("per_token_logps"), item.Input("old_per_token_logps"), item.Input("advantages"), mask)
            {
                ReferenceLogProbs = item.Input("ref_per_token_logps"),
                Entropy = item.Expected("entropies"),
                ImportanceWeights = item.HasInput("importance_sampling_ratio")
                    ? item.Input("importance_sampling_ratio").expand(mask.shape)
                    : null,
            };
            double steps = item.Flag("training") ? item.Parameter("gradient_accumulation_steps", 1) : 1;
            double denominator = item.Text("loss_type") is "dapo" or "cispo"
                ? item.Parameter("num_items_in_batch", 0)
                : objective.Aggregation.Denominator(mask) * steps;
            var loss = PolicyKernels.Objective(objective, batch, denominator);
            GoldenTolerance.Close(item.ExpectedNumber("loss"), tensor(loss.Loss).to_type(batch.LogProbs.dtype), item.Id);
            GoldenTolerance.Close(item.Gradient("per_token_logps"), loss.Gradient, item.Id);
            count++;
        }
        Assert.True(count > 0);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Value_IsTheOracle(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (var (rows, columns) in KernelFuzz.Shapes)
        {
            foreach (var aggregation in Aggregations)
            {
                foreach (double? clip in new double?[] { null, 0.2, 0 })
                {
                    using var scope = NewDisposeScope();
                    seed++;
                    Tensor Make(int offset) => KernelFuzz.Make(10 * seed + offset, type, strided, 1, 0, rows, columns);
                    var (values, old, returns, mask) = (Make(1), Make(2), Make(3), KernelFuzz.Holes(seed, type, strided, rows, columns));
                    double? denominator = seed % 4 == 0 ? 23 : null;
                    using var oracle = Fused.Reference();
                    var expected = PolicyLosses.Value(values, old, returns, mask, clip, aggregation, denominator);
                    var gradient = KernelFuzz.Gradients(
                        x => PolicyLosses.Value(x[0], old, returns, mask, clip, aggregation, denominator).Loss,
                        values
                    )[0];
                    var actual = PolicyKernels.Value(values, old, returns, mask, clip, aggregation, denominator);
                    TensorAssert.Close(expected.TokenLosses, actual.TokenLosses, KernelFuzz.Tolerance(type), "token losses");
                    KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, KernelFuzz.Tolerance(type), "loss");
                    TensorAssert.Close(gradient, actual.Gradient, KernelFuzz.Tolerance(type), "gradient");
                    KernelFuzz.Near(expected.ClipFraction.ToDouble(), actual.ClipFraction, 1e-6, "clip fraction");
                }
            }
        }
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
        {
            Tensor Make(int seed) => Numbers.Uniform(seed, 0.3, 64, 2048).to_type(ScalarType.Float32);
            var batch = new PolicyBatch(
                Make(1),
                Make(2),
                Numbers.Uniform(3, 1, 64).to_type(ScalarType.Float32),
                KernelFuzz.Holes(4, ScalarType.Float32, false, 64, 2048)
            )
            {
                ReferenceLogProbs = Make(5),
            };
            var loss = PolicyKernels.Objective(PolicyObjectives.Grpo() with { Beta = 0.1 }, batch);
            var value = PolicyKernels.Value(Make(6), Make(7), Make(8), batch.Mask, 0.2);
            return
            [
                tensor(loss.Loss),
                loss.TokenLosses,
                loss.Gradient,
                tensor(loss.Kl),
                tensor(loss.OldKl),
                tensor(value.Loss),
                value.Gradient,
            ];
        });

    [Fact]
    public void SurrogatesOfTheWholeBatch_AreNotSupported()
    {
        using var scope = NewDisposeScope();
        var batch = new PolicyBatch(zeros(1, 2), zeros(1, 2), zeros(1), ones(1, 2));
        Assert.False(PolicyKernels.Supports(PolicySurrogate.Gmpo(0.4)));
        Assert.All(Surrogates, surrogate => Assert.True(PolicyKernels.Supports(surrogate)));
        Assert.Throws<NotSupportedException>(() => PolicyKernels.Objective(PolicyObjectives.Gmpo(), batch));
    }

    [Fact]
    public void SurrogatesAndAggregationsOfOnesOwn_AreNotSupported()
    {
        using var scope = NewDisposeScope();
        var batch = new PolicyBatch(zeros(1, 2), zeros(1, 2), zeros(1), ones(1, 2)) { Entropy = zeros(1, 2) };
        var surrogate = PolicySurrogate.Of("mine", inputs => new SurrogateTerms(inputs.LogRatio.neg(), null));
        var aggregation = LossAggregation.Of("mine", mask => ones_like(mask), mask => mask.shape[0]);
        var grpo = PolicyObjectives.Grpo();
        Assert.False(PolicyKernels.Supports(surrogate));
        void Refused(Action call) =>
            Assert.Contains("mine has no kernel", Assert.Throws<NotSupportedException>(call).Message, StringComparison.Ordinal);
        Refused(() => PolicyKernels.Objective(grpo with { Surrogate = surrogate }, batch));
        Refused(() => PolicyKernels.Objective(grpo with { Aggregation = aggregation }, batch));
        Refused(() => PolicyKernels.Objective(grpo with { EntropyCoefficient = 1, EntropyAggregation = aggregation }, batch));
        Refused(() => PolicyKernels.Value(zeros(1, 2), zeros(1, 2), zeros(1, 2), ones(1, 2), null, aggregation));
    }

    [Fact]
    public void BadInput_IsRefusedAsByTheOracle()
    {
        using var scope = NewDisposeScope();
        var (two, three) = (zeros(2, 3), zeros(2, 4));
        void Same(Tensor logProbs, Tensor old, Tensor advantages, Tensor mask, double? denominator = null) =>
            KernelFuzz.SameRefusal(
                () => PolicyLosses.ClippedSurrogate(logProbs, old, advantages, mask, 0.2, null, denominator),
                () => PolicyKernels.ClippedSurrogate(logProbs, old, advantages, mask, 0.2, null, denominator)
            );
        Same(zeros(6), zeros(6), zeros(6), zeros(6));
        Same(two, three, zeros(2), two);
        Same(two, two, zeros(3), two);
        Same(two, two, three, two);
        Same(two, two, two, three);
        Same(two.to_type(ScalarType.Int64), two, two, two);
        Same(two, two, two, two, -1);
        KernelFuzz.SameRefusal(
            () => PolicyLosses.ClippedSurrogate(two, two, two, two, -1),
            () => PolicyKernels.ClippedSurrogate(two, two, two, two, -1)
        );
        var batch = new PolicyBatch(two, two, two, two);
        void SameObjective(PolicyObjective objective, PolicyBatch given) =>
            KernelFuzz.SameRefusal(() => objective.Loss(given), () => PolicyKernels.Objective(objective, given));
        SameObjective(PolicyObjectives.Grpo() with { Beta = 1 }, batch);
        SameObjective(PolicyObjectives.Grpo() with { Beta = -1 }, batch);
        SameObjective(PolicyObjectives.Grpo() with { EntropyCoefficient = 1 }, batch);
        SameObjective(PolicyObjectives.Grpo(), batch with { ReferenceLogProbs = three });
        SameObjective(PolicyObjectives.Grpo(), batch with { Weights = three });
        SameObjective(PolicyObjectives.Grpo(), batch with { ImportanceWeights = three });
        KernelFuzz.SameRefusal(() => PolicyLosses.Value(two, three, two, two), () => PolicyKernels.Value(two, three, two, two));
        KernelFuzz.SameRefusal(() => PolicyLosses.Value(two, two, three, two), () => PolicyKernels.Value(two, two, three, two));
        KernelFuzz.SameRefusal(() => PolicyLosses.Value(two, two, two, two, -1), () => PolicyKernels.Value(two, two, two, two, -1));
    }

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        foreach (bool strided in new[] { false, true })
        {
            var batch = Batch(7, ScalarType.Float32, strided, 3, 5);
            var objective = PolicyObjectives.Grpo() with { Beta = 0.1, EntropyCoefficient = 0.1 };
            Ownership.Check(
                () =>
                {
                    var loss = PolicyKernels.Objective(objective, batch);
                    return [loss.TokenLosses, loss.Gradient, loss.EntropyGradient!];
                },
                batch.LogProbs,
                batch.OldLogProbs,
                batch.Mask,
                batch.Advantages
            );
            Ownership.Check(
                () =>
                {
                    var loss = PolicyKernels.Value(batch.LogProbs, batch.OldLogProbs, batch.Entropy!, batch.Mask, 0.2);
                    return [loss.TokenLosses, loss.Gradient];
                },
                batch.LogProbs,
                batch.OldLogProbs,
                batch.Mask
            );
        }
    }
}
