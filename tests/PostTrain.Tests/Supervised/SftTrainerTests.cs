using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Supervised;

public sealed class SftTrainerTests
{
    private static readonly Demonstration[] Words = [new("a=", "bcd"), new("b=", "dc"), new("c=", "f0f1")];
    private static readonly Demonstration[] Digits = [.. Enumerable.Range(0, 8).Select(i => new Demonstration($"{i}=", $"{i}{7 - i}"))];

    [Fact]
    public void Run_FewStrings_AreLearntByHeart_WithTheirEnds()
    {
        using var model = Toy.Model();
        var reports = Train(
            model,
            Words,
            new SftOptions
            {
                Steps = 120,
                BatchSize = 3,
                LearningRate = 1e-2,
            }
        );
        // Twenty tokens, weights near 0: ln 20 = 3.0.
        Assert.InRange(reports[0].Loss, 2.5, 3.5);
        Assert.InRange(reports[^1].Loss, 0, 0.05);
        Assert.Equal(1, reports[^1].Metrics["accuracy"]);

        model.eval();
        using var greedy = Sampler.Generate(
            model,
            [.. Words.Select(word => Toy.Tokenizer.Encode(word.Prompt))],
            new SamplingOptions { Temperature = 0, MaxNewTokens = 8 }.StoppingAt(Toy.Tokenizer.EndOfSequenceId),
            1,
            Toy.Tokenizer.PaddingId
        );
        Assert.Equal(Words.Select(word => word.Completion.Text), greedy.Completions.Select(ids => Toy.Tokenizer.Decode(ids)));
        Assert.All(greedy.Finished, Assert.True);
    }

    [Fact]
    public void Run_Loss_IsTheHandSummedNllOfCompletions()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        var (one, two) = (Nll(model, "ab", "cd"), Nll(model, "0+1+2=", "3"));
        Assert.Equal((3, 2), (one.Length, two.Length));

        Assert.Equal(one.Average(), First([new("ab", "cd")]).Loss, 1e-9);
        Assert.Equal(two.Average(), First([new("0+1+2=", "3")]).Loss, 1e-9);
        // Both in one batch, padded: the mean over the five tokens, or of the two sequences' means.
        Demonstration[] both = [new("ab", "cd"), new("0+1+2=", "3")];
        Assert.Equal(one.Concat(two).Average(), First(both).Loss, 1e-9);
        Assert.Equal((one.Average() + two.Average()) / 2, First(both, LossAggregation.SequenceMean).Loss, 1e-9);
        // Without the end token one fewer counts.
        Assert.Equal(one.Take(2).Average(), First([new("ab", "cd")], end: false).Loss, 1e-9);

        StepReport First(Demonstration[] data, LossAggregation? aggregation = null, bool end = true)
        {
            using var copy = Toy.Model(type: ScalarType.Float64);
            return Train(
                copy,
                data,
                new SftOptions
                {
                    Steps = 1,
                    BatchSize = data.Length,
                    Aggregation = aggregation ?? LossAggregation.TokenMean,
                    AppendEndOfSequence = end,
                }
            )[0];
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    public void Run_Packed_IsTheUnpackedRun(int? size)
    {
        var data = Words.Concat(Digits).Append(new("0+1+2+3=", "6")).ToArray();
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceSum(4) })
        {
            var options = new SftOptions
            {
                Steps = 3,
                BatchSize = 7,
                LearningRate = 1e-2,
                Aggregation = aggregation,
            };
            using var rows = Toy.Model(type: ScalarType.Float64, layers: 2);
            using var packed = Toy.Model(type: ScalarType.Float64, layers: 2);
            var expected = Train(rows, data, options);
            var actual = Train(packed, data, options with { Packing = true, MicroBatchSize = size });
            Assert.Equal(expected[0].Loss, actual[0].Loss, 1e-12);
            Assert.Equal(expected[0].Metrics["grad_norm"], actual[0].Metrics["grad_norm"], 1e-12);
            Assert.Equal(expected.Select(report => report.Metrics["accuracy"]), actual.Select(report => report.Metrics["accuracy"]), Near);
            foreach (var (a, b) in rows.parameters().Zip(packed.parameters()))
            {
                TensorAssert.Close(a.grad!, b.grad!, 1e-10);
                TensorAssert.Close(a, b, 1e-8);
            }
        }

        static bool Near(double a, double b) => Math.Abs(a - b) < 1e-6;
    }

    [Fact]
    public void Run_SameSeed_SameBits_AndAnotherSeedAnotherOrder()
    {
        // The rate is so small that a step's loss tells which example it read.
        double[] Losses(ulong seed, out byte[] weights)
        {
            using var model = Toy.Model();
            var reports = Train(
                model,
                Digits,
                new SftOptions
                {
                    Steps = 8,
                    BatchSize = 1,
                    LearningRate = 1e-9,
                    Seed = seed,
                }
            );
            weights = Toy.Bytes(model);
            return [.. reports.Select(report => report.Loss)];
        }

        var first = Losses(1, out var weights);
        Assert.Equal(first, Losses(1, out var again));
        Assert.Equal(weights, again);
        var other = Losses(2, out _);
        Assert.NotEqual(first.Select(loss => Math.Round(loss, 5)), other.Select(loss => Math.Round(loss, 5)));
        // Either order has read every example once.
        Assert.All(first.Order().Zip(other.Order()), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.Equal(8, first.Select(loss => Math.Round(loss, 5)).Distinct().Count());
    }

    [Fact]
    public void Run_LargestSeed_IsASeedToo()
    {
        using var model = Toy.Model();
        Assert.Equal(2, Train(model, Digits, new SftOptions { Steps = 2, Seed = ulong.MaxValue }).Length);
    }

    [Fact]
    public void Run_FrozenParameters_KeepTheirBytes()
    {
        using var model = Toy.Model(layers: 2);
        var frozen = model.named_parameters().Where(item => item.name.Contains("mlp", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(frozen);
        foreach (var (_, parameter) in frozen)
            parameter.requires_grad = false;
        byte[][] Bytes() => [.. frozen.Select(item => item.parameter.detach().bytes.ToArray())];
        var (before, all) = (Bytes(), Toy.Bytes(model));
        Train(
            model,
            Words,
            new SftOptions
            {
                Steps = 5,
                BatchSize = 2,
                LearningRate = 1e-2,
                WeightDecay = 0.1,
            }
        );
        Assert.Equal(before, Bytes());
        Assert.NotEqual(all, Toy.Bytes(model));
    }

    [Fact]
    public void Run_Observers_GetEachReportInOrder()
    {
        using var model = Toy.Model();
        var seen = new Recorder();
        var reports = Train(
            model,
            Words,
            new SftOptions
            {
                Steps = 4,
                BatchSize = 2,
                Observers = [seen],
            }
        );
        Assert.Equal([1, 2, 3, 4], reports.Select(report => report.Step));
        Assert.Equal(reports, seen.Reports);
        Assert.Equal(
            ["accuracy", "grad_norm", "learning_rate", "time/batch", "time/update", "tokens_per_second"],
            reports[0].Metrics.Keys.Order()
        );
    }

    [Fact]
    public void Run_UnusableData_IsNamed()
    {
        using var model = Toy.Model();
        using var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = 1 });
        Assert.Equal("data", Assert.Throws<ArgumentException>(() => trainer.Run([])).ParamName);

        // The context is 16 and the last token is only predicted: 17 tokens fit, prompt, completion and end together.
        var before = Toy.Bytes(model);
        Demonstration fits = new("0=", new string('1', 14)),
            longer = new("0=", new string('1', 15));
        var error = Assert.Throws<ArgumentException>(() => trainer.Run([Words[0], fits, longer]));
        Assert.Equal("data", error.ParamName);
        Assert.Contains("data[2] has 18 tokens (2 of them its prompt), expected at most 17", error.Message, StringComparison.Ordinal);
        Assert.Contains(
            "data holds no example that can be learnt from: 1 of 1 examples have no token that is learnt",
            Assert.Throws<ArgumentException>(() => trainer.Run([new("", "")])).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, Toy.Bytes(model));
        Assert.Single(trainer.Run([fits]));
    }

    [Fact]
    public void Constructor_BadOptionsOrNothingToTrain_AreRefused()
    {
        using var model = Toy.Model();
        void Refused(string name, string range, SftOptions options)
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() => new SftTrainer(model, Toy.Tokenizer, options));
            Assert.Equal(name, error.ParamName);
            Assert.Contains(range, error.Message, StringComparison.Ordinal);
        }

        Refused("Steps", "at least 1", new SftOptions { Steps = 0 });
        Refused("BatchSize", "at least 1", new SftOptions { BatchSize = 0 });
        Refused("MicroBatchSize", "at least 1", new SftOptions { MicroBatchSize = 0 });
        Refused("LearningRate", "above 0", new SftOptions { LearningRate = double.NaN });
        Refused("WarmupSteps", "at least 0", new SftOptions { WarmupSteps = -1 });
        Refused("WeightDecay", "at least 0", new SftOptions { WeightDecay = -0.1 });
        Refused("Beta1", "below 1", new SftOptions { Beta1 = 1 });
        Refused("Beta2", "below 1", new SftOptions { Beta2 = -0.5 });
        Refused("AdamEpsilon", "above 0", new SftOptions { AdamEpsilon = 0 });
        Refused("MaxGradNorm", "above 0", new SftOptions { MaxGradNorm = 0 });
        Refused("Aggregation", "token mean or a sum", new SftOptions { Packing = true, Aggregation = LossAggregation.SequenceMean });
        Refused("CheckpointEvery", "at least 0", new SftOptions { CheckpointEvery = -1 });
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        Assert.Throws<ArgumentException>(() => new SftTrainer(model, Toy.Tokenizer, new SftOptions()));
    }

    [Fact]
    public void Run_Steps_LeaveNoTensorBehind()
    {
        using var model = Toy.Model();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 6,
                BatchSize = 3,
                MicroBatchSize = 2,
            }
        );
        // Gradients come with the first step and stay.
        var alive = trainer.Run(Words).Select(_ => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount).ToArray();
        Assert.All(alive[1..], count => Assert.Equal(alive[1], count));
    }

    private static StepReport[] Train(CausalLm model, Demonstration[] data, SftOptions options)
    {
        using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
        return [.. trainer.Run(data)];
    }

    // −log π of each token of the completion and of the end token.
    private static double[] Nll(CausalLm model, string prompt, string completion)
    {
        int[] ids = [.. Toy.Tokenizer.Encode(prompt + completion), Toy.Tokenizer.EndOfSequenceId!.Value];
        var logProbs = Toy.LogProbs(model, ids);
        return [.. Enumerable.Range(prompt.Length, completion.Length + 1).Select(place => -logProbs[place - 1][ids[place]])];
    }

    private sealed class Recorder : IProgress<StepReport>
    {
        internal List<StepReport> Reports { get; } = [];

        public void Report(StepReport value) => Reports.Add(value);
    }
}
