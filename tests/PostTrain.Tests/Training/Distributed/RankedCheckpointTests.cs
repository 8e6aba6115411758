using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>The optimiser's state shared out among ranks: the same bits, the same files, less memory.</summary>
[Collection("Sequential")]
public sealed class RankedCheckpointTests : IDisposable
{
    private static readonly PostTrain.Data.Demonstration[] Shown =
    [
        .. Enumerable.Range(0, 8).Select(i => new PostTrain.Data.Demonstration($"{i}=", $"{i}{7 - i}ab"[..(2 + i % 3)])),
    ];

    private readonly TemporaryDirectory directory = new();

    public static TheoryData<string> Optimizers => [.. Choices.Keys];

    private static Dictionary<string, OptimizerChoice> Choices { get; } =
        new()
        {
            ["adamw"] = OptimizerChoice.AdamW,
            ["adam"] = OptimizerChoice.Adam,
            ["sgd"] = OptimizerChoice.Sgd(momentum: 0.9),
            ["adafactor"] = OptimizerChoice.Adafactor(),
            ["muon"] = OptimizerChoice.Muon(),
        };

    public void Dispose() => directory.Dispose();

    // Three ranks write the files of one, byte by byte; two go on from them to the bytes of the whole run, and so does one.
    [Theory]
    [MemberData(nameof(Optimizers))]
    public async Task ShardedStates_GiveTheBytesOfOneRank_InEveryFile_AndGoOnWithOtherRanks(string optimizer)
    {
        await RunAsync(1, optimizer, StateSharding.None, "one", null);
        await RunAsync(3, optimizer, StateSharding.Optimizer, "three", null);
        Same("one", "three", 3);
        Same("one", "three", 6);
        foreach (var (ranks, sharding) in new[] { (2, StateSharding.Optimizer), (3, StateSharding.None), (1, StateSharding.None) })
        {
            var name = $"rest-{ranks}";
            await RunAsync(ranks, optimizer, sharding, name, directory.File("three/checkpoint-00000003"));
            Same("one", name, 6);
        }
    }

    // Sums of gradients in another order: near, not equal.
    [Fact]
    public async Task ShardedGradients_GiveWhatOneRankGives()
    {
        var expected = await RunAsync(1, "sgd", StateSharding.None, "one", null);
        foreach (int ranks in new[] { 2, 3, 4 })
        foreach (var actual in await RunAsync(ranks, "sgd", StateSharding.Gradients, $"z2-{ranks}", null))
            Assert.True(expected[0].Zip(actual, (a, b) => Math.Abs(a - b)).Max() < 1e-12);
        await RunAsync(2, "sgd", StateSharding.Gradients, "z2-rest", directory.File("z2-3/checkpoint-00000003"));
    }

    // AdamW holds two numbers a parameter. Together the ranks hold what one process does, and none more than the mean and one parameter.
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Memory_FollowsTheFormula(int ranks)
    {
        using var model = Toy.Model();
        long all = model.parameters().Sum(parameter => parameter.NumberOfElements),
            largest = model.parameters().Max(parameter => parameter.NumberOfElements);
        const long bytes = 2 * sizeof(float);
        var held = new long[ranks];
        await InProcessCollectives.RunAsync(
            ranks,
            own =>
            {
                using var part = Toy.Model();
                using var optimization = new Optimization(
                    part,
                    new SftOptions { Distributed = new DistributedOptions { Sharding = StateSharding.Optimizer } }
                );
                held[own.Rank] = optimization.StateBytes;
                return Task.CompletedTask;
            }
        );
        Assert.Equal(bytes * all, held.Sum());
        Assert.All(held, one => Assert.InRange(one, 0, bytes * (all / ranks + largest)));
        using var whole = new Optimization(model, new SftOptions());
        Assert.Equal(bytes * all, whole.StateBytes);
    }

    [Fact]
    public async Task PenaltiesWithShardedGradients_AreRefused() =>
        await InProcessCollectives.RunAsync(
            2,
            _ =>
            {
                using var model = Toy.Model();
                var options = new SftOptions
                {
                    Terms = [UpdateTerm.Of("none", () => zeros(1, requires_grad: true))],
                    Distributed = new DistributedOptions { Sharding = StateSharding.Gradients },
                };
                var error = Assert.Throws<ArgumentException>(() => new SftTrainer(model, Toy.Tokenizer, options));
                Assert.Contains("Sharding is Gradients; expected Sharding None or Optimizer", error.Message, StringComparison.Ordinal);
                return Task.CompletedTask;
            }
        );

    // Six steps, in parts of one example, in the order of parts where the sharding allows it.
    private async Task<double[][]> RunAsync(int ranks, string optimizer, StateSharding sharding, string name, string? resume)
    {
        var weights = new double[ranks][];
        await InProcessCollectives.RunAsync(
            ranks,
            own =>
            {
                using var model = Toy.Model(seed: resume is null ? 1ul : 5ul, type: ScalarType.Float64);
                using var trainer = new SftTrainer(
                    model,
                    Toy.Tokenizer,
                    new SftOptions
                    {
                        Steps = 6,
                        BatchSize = 5,
                        MicroBatchSize = 1,
                        LearningRate = 1e-2,
                        WeightDecay = 0.1,
                        Optimizer = Choices[optimizer],
                        CheckpointDirectory = directory.File(name),
                        CheckpointEvery = 3,
                        Distributed = new DistributedOptions { Sharding = sharding, FixedOrder = sharding != StateSharding.Gradients },
                    }
                );
                if (resume is not null)
                    trainer.Resume(resume);
                Assert.Equal(6, trainer.Run(Shown).Last().Step);
                using var scope = NewDisposeScope();
                weights[own.Rank] = [.. model.parameters().SelectMany(parameter => Numbers.Values(parameter))];
                return Task.CompletedTask;
            }
        );
        return weights;
    }

    private void Same(string one, string other, int step)
    {
        foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
            Assert.True(
                File.ReadAllBytes(directory.File($"{one}/checkpoint-{step:D8}/{file}"))
                    .AsSpan()
                    .SequenceEqual(File.ReadAllBytes(directory.File($"{other}/checkpoint-{step:D8}/{file}"))),
                $"{file} of step {step} differs between {one} and {other}"
            );
    }
}
