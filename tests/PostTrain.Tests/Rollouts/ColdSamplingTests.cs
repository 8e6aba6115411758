using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Beams;
using PostTrain.Rollouts.Logits;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>Temperatures down to the smallest double, and scores that are no numbers.</summary>
public sealed class ColdSamplingTests
{
    private static readonly double[] Cold = [double.Epsilon, 1e-310, 1e-300, 1e-100, 1e-46, 1e-45, 1e-38, 1e-30, 1e-20, 1e-8, 1e-7, 1e-5];

    // From token t the likeliest is t + 1 modulo 5, then t + 3; from 3 the highest score is below 0, and from 4 all are large.
    private static readonly double[] Table =
    [
        0.5,
        3,
        -1,
        2.5,
        0,
        -7,
        0,
        9,
        -2,
        8.5,
        1,
        -3,
        0,
        2,
        -8,
        -5,
        -6,
        -5.5,
        -7,
        -4,
        2e4,
        1.5e4,
        1.9e4,
        1e4,
        -3e4,
    ];

    public static TheoryData<ScalarType> Types => [ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64];

    private static FixedLogits Model(ScalarType type, double[]? values = null) => new(tensor(values ?? Table, [5, 5]).to_type(type));

    [Theory]
    [MemberData(nameof(Types))]
    public void ColdDraw_IsTheGreedyToken_WithALogProbOfZero(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var model = Model(type);
        SamplingOptions[] variants =
        [
            new(),
            new() { TopK = 2 },
            new() { TopP = 0.9 },
            new() { TopP = 1e-9 },
            new() { MinP = 0.1 },
            new() { TypicalP = 0.5 },
            new() { EpsilonCutoff = 0.01 },
            new() { EtaCutoff = 0.01 },
            new() { SequenceBiases = [new([0], -1)] },
            new()
            {
                RepetitionPenalty = 1.0001,
                TopK = 3,
                TopP = 0.5,
                MinP = 0.2,
            },
            new() { Processors = [(scores, _, _) => scores * 2] },
            new()
            {
                BadWords =
                [
                    [3, 1],
                ],
            },
            new() { Recording = LogProbRecording.Drawn },
        ];
        foreach (var temperature in Cold)
        foreach (var variant in variants)
        {
            using var batch = Sampler.Generate(
                model,
                [
                    [0],
                    [1],
                    [4, 2],
                    [3],
                ],
                variant with
                {
                    Temperature = temperature,
                    MaxNewTokens = 7,
                },
                1,
                0
            );
            Assert.Equal([1, 2, 3, 4, 0, 1, 2], batch.Completions[0]);
            Assert.Equal([2, 3, 4, 0, 1, 2, 3], batch.Completions[1]);
            Assert.Equal([3, 4, 0, 1, 2, 3, 4], batch.Completions[2]);
            Assert.Equal([4, 0, 1, 2, 3, 4, 0], batch.Completions[3]);
            TensorAssert.Close(zeros_like(batch.LogProbs), batch.LogProbs, 1e-12, $"log-probs at {temperature} of {variant}");
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void ColdDraw_OfABannedFavourite_IsTheSecond_WithAFiniteLogProb(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var model = Model(type);
        foreach (var temperature in Cold)
        {
            // After 0 comes 1, unless it may not: then 3, whose score is 0.5 lower.
            using var banned = Sampler.Generate(
                model,
                [
                    [0],
                ],
                new SamplingOptions
                {
                    Temperature = temperature,
                    MaxNewTokens = 1,
                    BadWords =
                    [
                        [1],
                    ],
                },
                1,
                0
            );
            Assert.Equal([3], banned.Completions[0]);
            var logProb = banned.LogProbs.ToDouble();
            Assert.True(double.IsFinite(logProb));
            var exact = -0.5 / temperature;
            if (exact > -3e38)
                Assert.Equal(exact, logProb, 1e-6 * -exact);
            else
                Assert.True(logProb <= -2.9e38);
            using var suppressed = Sampler.Generate(
                model,
                [
                    [0],
                ],
                new SamplingOptions
                {
                    Temperature = temperature,
                    MaxNewTokens = 1,
                    SuppressedTokens = [1],
                },
                1,
                0
            );
            Assert.Equal([3], suppressed.Completions[0]);
            Assert.Equal(0, suppressed.LogProbs.ToDouble(), 1e-12);
        }
    }

    // Equal scores stay equal at any temperature: each has half of the probability.
    [Fact]
    public void ColdDraw_OfTwoEqualScores_RecordsALogProbOfAHalf()
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(tensor(new float[] { 1, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 }, [4, 4]));
        foreach (var temperature in Cold)
        {
            using var batch = Sampler.Generate(
                model,
                [
                    [0],
                ],
                new SamplingOptions { Temperature = temperature, MaxNewTokens = 1 },
                1,
                0
            );
            Assert.InRange(batch.Completions[0][0], 1, 2);
            Assert.Equal(-Math.Log(2), batch.LogProbs.ToDouble(), 1e-6);
        }
    }

    [Theory]
    [InlineData(1e7)]
    [InlineData(1e39)]
    [InlineData(1e300)]
    [InlineData(double.MaxValue)]
    public void HotDraw_IsUniform_OverWhatIsNotSuppressed(double temperature)
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(tensor(new float[] { 1, 4, -2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 }, [4, 4]));
        using var batch = Sampler.Generate(
            model,
            [.. Enumerable.Repeat(new[] { 0 }, 400)],
            new SamplingOptions
            {
                Temperature = temperature,
                MaxNewTokens = 1,
                SuppressedTokens = [1],
            },
            1,
            0
        );
        TensorAssert.Close(full_like(batch.LogProbs, -Math.Log(3)), batch.LogProbs, 1e-5);
        // 400/3 = 133 each, with a standard deviation of 9.4.
        Assert.All(new[] { 0, 2, 3 }, token => Assert.InRange(batch.Completions.Count(tokens => tokens[0] == token), 90, 180));
    }

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void TemperatureProcessor_GivesNoNaN_AtAnyTemperature(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var scores = tensor(new[] { 0.0, -3, 1000, double.NegativeInfinity, 0.25 }, [1, 5]).to_type(type);
        foreach (var temperature in Cold.Append(1e300))
        {
            var tempered = LogitProcessors.Temperature(scores, temperature).to_type(ScalarType.Float64);
            Assert.Equal(type, LogitProcessors.Temperature(scores, temperature).dtype);
            var probabilities = Numbers.Values(tempered.softmax(-1));
            Assert.All(probabilities, value => Assert.True(double.IsFinite(value)));
            Assert.Equal(0, probabilities[3]);
            Assert.Equal(temperature < 1 ? 1 : 0.25, probabilities[2], 1e-12);
        }
    }

    [Theory]
    [InlineData(double.NaN, "hold NaN")]
    [InlineData(double.PositiveInfinity, "hold +∞")]
    [InlineData(double.NegativeInfinity, "are all −∞")]
    public void ScoresThatAreNoNumbers_NameTheRowAndTheStep(double value, string what)
    {
        using var scope = NewDisposeScope();
        // The greedy path of row 1 is 0, 1, 2 and then the bad scores; row 0 ends before.
        var table = Table.ToArray();
        if (double.IsNegativeInfinity(value))
            Array.Fill(table, value, 10, 5);
        else
            table[12] = value;
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64 })
        foreach (var temperature in new[] { 0, double.Epsilon, 1e-6 })
        {
            using var model = Model(type, table);
            var options = new SamplingOptions
            {
                Temperature = temperature,
                MaxNewTokens = 6,
                StopTokens = [0],
            };
            var error = Assert.Throws<InvalidOperationException>(() =>
                Sampler.Generate(
                    model,
                    [
                        [3],
                        [0],
                    ],
                    options,
                    1,
                    0
                )
            );
            Assert.Contains($"of row 1 at step 2 {what}", error.Message, StringComparison.Ordinal);
            // What a row would read after its end is nobody's business.
            using var ended = Sampler.Generate(
                model,
                [
                    [3],
                    [3, 3],
                ],
                options,
                1,
                0
            );
            Assert.Equal([4, 0], ended.Completions[1]);
            using var stopped = Sampler.Generate(
                model,
                [
                    [0],
                    [3],
                    [3],
                    [3],
                    [3],
                ],
                options with
                {
                    StopTokens = [0, 2],
                },
                1,
                0
            );
            Assert.Equal([1, 2], stopped.Completions[0]);
            var beams = Assert.Throws<InvalidOperationException>(() =>
                BeamSearch.Generate(
                    model,
                    [
                        [3],
                        [0],
                    ],
                    new BeamOptions { Beams = 1 },
                    options,
                    0
                )
            );
            Assert.Contains($"of row 1 at step 2 {what}", beams.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ScoresOfProcessors_AreCheckedToo()
    {
        using var scope = NewDisposeScope();
        using var model = Model(ScalarType.Float32);
        foreach (var (bad, what) in new[] { (double.NaN, "hold NaN"), (double.PositiveInfinity, "hold +∞") })
        {
            LogitProcessor processor = (scores, ids, _) => ids.size(1) < 3 ? scores : scores.index_fill(1, tensor(new long[] { 2 }), bad);
            var error = Assert.Throws<InvalidOperationException>(() =>
                Sampler.Generate(
                    model,
                    [
                        [0],
                    ],
                    new SamplingOptions { MaxNewTokens = 6, Processors = [processor] },
                    1,
                    0
                )
            );
            Assert.Contains($"processors of row 0 at step 2 {what}", error.Message, StringComparison.Ordinal);
            Assert.Throws<InvalidOperationException>(() =>
                BeamSearch.Generate(
                    model,
                    [
                        [0],
                    ],
                    new BeamOptions(),
                    new SamplingOptions { MaxNewTokens = 6, Processors = [processor] },
                    0
                )
            );
        }

        // A penalty out of the type's range is one such.
        Assert.Throws<InvalidOperationException>(() =>
            Sampler.Generate(
                model,
                [
                    [3, 3],
                ],
                new SamplingOptions { SequenceBiases = [new([1], 1e300)] },
                1,
                0
            )
        );
    }

    [Theory]
    [InlineData(double.Epsilon)]
    [InlineData(1e-300)]
    [InlineData(1e-7)]
    [InlineData(1e7)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NaN)]
    public void LossesRefuseTemperaturesThatLeaveTheRange(double temperature)
    {
        using var scope = NewDisposeScope();
        var logits = zeros(1, 2, 3);
        Assert.Equal(
            "Temperature",
            Assert.Throws<ArgumentOutOfRangeException>(() => new LogitTransform { Temperature = temperature }.Apply(logits)).ParamName
        );
        Assert.Equal(
            "Temperature",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    DistillationLosses.Distill(logits, logits, ones(1, 2), new DistillationObjective { Temperature = temperature })
                )
                .ParamName
        );
        Assert.Equal("temperature", Assert.Throws<ArgumentOutOfRangeException>(() => MarginLoss.DiscoPop(temperature)).ParamName);
        Assert.Equal("positive", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.Sapo(temperature)).ParamName);
        if (temperature < 1)
            Assert.Throws<ArgumentOutOfRangeException>(() =>
                new GrpoTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    Policy.GrpoRuns.Even,
                    new GrpoOptions { Sampling = new SamplingOptions { Temperature = temperature } }
                )
            );
        foreach (var penalty in new[] { 1 / temperature, 33, -33 })
            if (Math.Abs(penalty) > 32)
                Assert.Throws<ArgumentOutOfRangeException>(() =>
                    BeamSearch.Generate(
                        Model(ScalarType.Float32),
                        [
                            [0],
                        ],
                        new BeamOptions { LengthPenalty = penalty },
                        new SamplingOptions(),
                        0
                    )
                );
    }
}
