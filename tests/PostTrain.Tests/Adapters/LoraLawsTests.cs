using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

// Trainers seed the generator that the whole process shares.
[Collection("Sequential")]
public sealed class LoraLawsTests
{
    private static readonly Demonstration[] Words = [new("a=", "bcd"), new("b=", "dc"), new("c=", "f0f1"), new("d=", "2")];

    // Inputs are whitened, so the excess loss of a rank-r update is what the r largest singular values of the residual leave (Eckart, Young
    // 1936).
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(6)]
    public void LeastSquares_BestRank_LeavesTheOtherSingularValues_ByFormulaAndByTraining(int rank)
    {
        using var scope = NewDisposeScope();
        var layer = nn.Linear(8, 6, hasBias: false, dtype: ScalarType.Float64);
        using var model = nn.Sequential(("layer", layer));
        var target = layer.weight!.detach() + Numbers.Uniform(3, 1, 6, 8);
        var (u, s, vh) = linalg.svd(target - layer.weight!.detach(), false);
        var optimum = s.square().sum().ToDouble() - s.narrow(0, 0, rank).square().sum().ToDouble();
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["layer"],
                Rank = rank,
                Alpha = 2 * rank,
            }
        );
        var inputs = eye(8, dtype: ScalarType.Float64);
        Tensor Loss() => (model.call(inputs) - inputs.matmul(target.t())).square().sum();

        var lora = (LoraLinear)adapted.Pieces("default")[0];
        var started = (A: lora.A.detach().clone(), B: lora.B.detach().clone());
        using (no_grad())
        {
            lora.A.copy_(vh.narrow(0, 0, rank));
            lora.B.copy_(u.narrow(1, 0, rank) * s.narrow(0, 0, rank) / 2);
            Assert.Equal(optimum, Loss().ToDouble(), 1e-9 * (1 + optimum));
            lora.A.copy_(started.A);
            lora.B.copy_(started.B);
        }

        var first = Loss().ToDouble();
        using var optimizer = optim.Adam(adapted.TrainableParameters.Select(item => item.Parameter), lr: 0.03);
        for (var step = 0; step < 900; step++)
        {
            using var inner = NewDisposeScope();
            foreach (var group in optimizer.ParamGroups)
                group.LearningRate = 0.03 * Math.Pow(0.995, step);
            optimizer.zero_grad();
            Loss().backward();
            optimizer.step();
        }

        Assert.InRange(Loss().ToDouble() - optimum, -1e-9, 1e-3 * first);
    }

    // A task of rank 2 is reached to the last digit from rank 2 on, and the best loss of a rank is a convex, falling function of it.
    [Fact]
    public void LeastSquares_RankOfTheTask_IsEnough()
    {
        using var scope = NewDisposeScope();
        var task = Numbers.Uniform(4, 1, 6, 2).matmul(Numbers.Uniform(5, 1, 2, 8));
        var (u, s, vh) = linalg.svd(task, false);
        var losses = Enumerable
            .Range(1, 4)
            .Select(rank =>
            {
                using var model = nn.Sequential(("layer", nn.Linear(8, 6, hasBias: false, dtype: ScalarType.Float64)));
                var plain = model.call(eye(8, dtype: ScalarType.Float64)).detach();
                using var adapted = AdaptedModel.Attach(
                    model,
                    new LoraOptions
                    {
                        Targets = ["layer"],
                        Rank = rank,
                        Alpha = rank,
                    }
                );
                var lora = (LoraLinear)adapted.Pieces("default")[0];
                using var mode = no_grad();
                lora.A.copy_(vh.narrow(0, 0, rank));
                lora.B.copy_(u.narrow(1, 0, rank) * s.narrow(0, 0, rank));
                return (model.call(eye(8, dtype: ScalarType.Float64)) - plain - task.t()).square().sum().ToDouble();
            })
            .Prepend(task.square().sum().ToDouble())
            .ToArray();
        Assert.True(losses[1] > 1e-2);
        Assert.All(losses[2..], loss => Assert.InRange(loss, 0, 1e-25));
        Assert.True(losses[0] - losses[1] >= losses[1] - losses[2]);
    }

    // No latency when merged: the forward pass is that of a plain layer with the weight W + s B A, bit by bit.
    [Fact]
    public void Merged_IsAPlainLayer_BitByBit()
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var layer = nn.Linear(16, 12, dtype: ScalarType.Float32);
        using var model = nn.Sequential(("layer", layer));
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["layer"],
                Rank = 4,
                Alpha = 8,
            }
        );
        AdapterModels.Randomize(adapted);
        var lora = (LoraLinear)adapted.Pieces("default")[0];
        var plain = nn.Linear(16, 12, dtype: ScalarType.Float32);
        plain.weight!.copy_(layer.weight! + lora.Delta());
        plain.bias!.copy_(layer.bias!);
        adapted.Merge();
        var inputs = Numbers.Uniform(6, 1, 5, 16).to_type(ScalarType.Float32);
        Assert.Equal(AdapterModels.Bytes(plain.weight!), AdapterModels.Bytes(layer.weight!));
        Assert.Equal(AdapterModels.Bytes(plain.call(inputs)), AdapterModels.Bytes(model.call(inputs)));
    }

    // With entries of A and B of fixed size, s·B A x grows as s√r: constant with α/√r, falling as 1/√r with α/r.
    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, -0.5)]
    public void RankStabilized_OutputDoesNotDependOnTheRank(bool stabilized, double slope)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var ranks = new[] { 4, 16, 64, 256 };
        var sizes = ranks
            .Select(rank =>
            {
                var layer = nn.Linear(64, 64, hasBias: false, dtype: ScalarType.Float64);
                using var model = nn.Sequential(("layer", layer));
                using var adapted = AdaptedModel.Attach(
                    model,
                    new LoraOptions
                    {
                        Targets = ["layer"],
                        Rank = rank,
                        Alpha = 16,
                        RankStabilized = stabilized,
                    }
                );
                var lora = (LoraLinear)adapted.Pieces("default")[0];
                lora.B.copy_(Numbers.Uniform(rank, 1, 64, rank));
                return Math.Log(lora.Delta().square().mean().sqrt().ToDouble());
            })
            .ToArray();
        // The straight line through the logarithms.
        var x = ranks.Select(rank => Math.Log(rank)).ToArray();
        var fitted =
            x.Zip(sizes).Sum(pair => (pair.First - x.Average()) * pair.Second)
            / x.Sum(value => (value - x.Average()) * (value - x.Average()));
        Assert.Equal(slope, fitted, 0.05);
    }

    [Fact]
    public void Orthogonal_ProductIsZero_AndNeitherFactorIs()
    {
        using var scope = NewDisposeScope();
        var (a, b) = LoraStart.Of(zeros(7, 5, dtype: ScalarType.Float64), 4, 1, LoraInitialization.Orthogonal, new AdapterRandom(1));
        TensorAssert.Close(new double[35], b.matmul(a), 1e-15);
        Assert.True(a.abs().min().ToDouble() > 0 && b.abs().min().ToDouble() > 0);
    }

    [Theory]
    [InlineData(1, 0.0)]
    [InlineData(3, 0.0)]
    [InlineData(3, 0.2)]
    public void Count_IsRankTimesBothSides_AndSoIsTheFile(int rank, double dropout)
    {
        using var folder = new TemporaryDirectory();
        using var model = AdapterModels.Llama(ScalarType.Float32);
        var total = model.parameters().Sum(parameter => parameter.numel());
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["q_proj", "down_proj"],
                Rank = rank,
                Dropout = dropout,
            }
        );
        var expected = 2 * rank * (16 + 16 + 20 + 16);
        Assert.Equal(expected, adapted.TrainableCount);
        Assert.Equal(total + expected, adapted.TotalCount);
        adapted.Save(folder.Path);
        using var file = SafetensorsFile.Open(folder.File("adapter_model.safetensors"));
        Assert.Equal(4 * expected, file.Entries.Sum(entry => entry.Length));
    }

    [Fact]
    public void Dropout_ActsInTrainingOnly()
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids();
        using var adapted = AdaptedModel.Attach(model, ((LoraOptions)AdapterModels.Methods["lora"]) with { Dropout = 0.5 });
        AdapterModels.Randomize(adapted);
        model.eval();
        var first = AdapterModels.Logits(model, ids);
        TensorAssert.Same(first, AdapterModels.Logits(model, ids));
        model.train();
        Assert.True((AdapterModels.Logits(model, ids) - AdapterModels.Logits(model, ids)).abs().max().ToDouble() > 1e-6);
    }

    [Fact]
    public async Task Trainers_ChangeTheAdapterOnly_AndACheckpointHoldsOnlyIt()
    {
        using var folder = new TemporaryDirectory();
        using var model = Toy.Model();
        var plain = Toy.Bytes(model);
        var options = new LoraOptions
        {
            Targets = ModuleSelection.AllLinear,
            Rank = 4,
            Alpha = 16,
            Dropout = 0.1,
        };
        using var adapted = AdaptedModel.Attach(model, options);
        var reports = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 60,
                BatchSize = 4,
                LearningRate = 2e-2,
                CheckpointDirectory = folder.Path,
                CheckpointEvery = 30,
            }
        ).Run(Words).ToArray();
        Assert.True(reports[^1].Loss < reports[0].Loss - 0.15, $"{reports[0].Loss} to {reports[^1].Loss}");
        using (var file = SafetensorsFile.Open(folder.File("checkpoint-00000060/model.safetensors")))
            Assert.Equal(
                adapted.TrainableParameters.Select(item => item.Name).Order(StringComparer.Ordinal),
                file.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal)
            );

        var reward = Reward.Of("digits", completion => completion.Text.Count(char.IsDigit));
        var grpo = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            reward,
            new GrpoOptions
            {
                Steps = 2,
                BatchSize = 2,
                GroupSize = 4,
                LearningRate = 1e-3,
                Sampling = new SamplingOptions { MaxNewTokens = 4 },
            }
        );
        await foreach (var report in grpo.RunAsync([new Problem("a="), new Problem("1=")]))
            Assert.True(double.IsFinite(report.Loss));
        adapted.Dispose();
        Assert.Equal(plain, Toy.Bytes(model));
    }

    // Adam's first step is the learning rate in every place, whatever the gradient.
    [Fact]
    public void LoraPlus_MovesBFaster()
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods["lora"]);
        AdapterModels.Randomize(adapted);
        var before = adapted.TrainableParameters.ToDictionary(item => item.Name, item => item.Parameter.detach().clone());
        using var optimization = new Optimization(
            model,
            new SftOptions { LearningRate = 1e-3, LearningRateFactor = LoraPlus.LearningRateFactor(16) }
        );
        var ids = AdapterModels.Ids();
        optimization.Update(1, _ => model.call(ids).square().mean());
        foreach (var (name, parameter) in adapted.TrainableParameters)
        {
            var rate = name.EndsWith("lora_B", StringComparison.Ordinal) ? 16e-3 : 1e-3;
            TensorAssert.Close(Enumerable.Repeat(rate, (int)parameter.numel()).ToArray(), (parameter - before[name]).abs(), 1e-5, name);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => new Optimization(model, new SftOptions { LearningRateFactor = _ => 0 }));
    }
}
