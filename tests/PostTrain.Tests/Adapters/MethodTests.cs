using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class MethodTests
{
    private static (Sequential Model, Linear Layer) Layer(long inputs, long outputs)
    {
        var layer = nn.Linear(inputs, outputs, dtype: ScalarType.Float64);
        return (nn.Sequential(("layer", layer)), layer);
    }

    private static Dictionary<string, Parameter> Parts(AdaptedModel adapted) =>
        adapted.TrainableParameters.ToDictionary(item => item.Name[(item.Name.LastIndexOf('.') + 1)..], item => item.Parameter);

    [Fact]
    public void Loha_IsTheHadamardProduct_AndLokrTheKroneckerProduct()
    {
        using var scope = NewDisposeScope();
        var (model, layer) = Layer(6, 4);
        var x = Numbers.Uniform(1, 1, 2, 3, 6);
        using (
            var adapted = AdaptedModel.Attach(
                model,
                new LohaOptions
                {
                    Targets = ["layer"],
                    Rank = 2,
                    Alpha = 6,
                }
            )
        )
        {
            AdapterModels.Randomize(adapted, scale: 1);
            var p = Parts(adapted);
            var delta = p["hada_w1_a"].matmul(p["hada_w1_b"]) * p["hada_w2_a"].matmul(p["hada_w2_b"]) * 3;
            TensorAssert.Close(x.matmul((layer.weight! + delta).t()) + layer.bias!, model.call(x), 1e-13, "loha");
        }
        using (
            var adapted = AdaptedModel.Attach(
                model,
                new LokrOptions
                {
                    Targets = ["layer"],
                    Rank = 1,
                    Alpha = 2,
                }
            )
        )
        {
            AdapterModels.Randomize(adapted, scale: 1);
            var p = Parts(adapted);
            // 4 = 2·2 and 6 = 2·3; 1 < 3/2, so that the right factor is a product.
            Assert.Equal([2, 2], p["lokr_w1"].shape);
            var (left, right) = (p["lokr_w1"], p["lokr_w2_a"].matmul(p["lokr_w2_b"]));
            var delta = zeros(4, 6, dtype: ScalarType.Float64);
            for (var i = 0; i < 2; i++)
            for (var j = 0; j < 2; j++)
                delta.narrow(0, 2 * i, 2).narrow(1, 3 * j, 3).copy_(right.detach() * left[i, j].ToDouble() * 2);
            TensorAssert.Close(x.matmul((layer.weight! + delta).t()) + layer.bias!, model.call(x), 1e-13, "lokr");
        }
        model.Dispose();
    }

    [Theory]
    [InlineData(128, -1, 8, 16)]
    [InlineData(36, -1, 6, 6)]
    [InlineData(7, -1, 1, 7)]
    [InlineData(128, 4, 4, 32)]
    [InlineData(128, 100, 8, 16)]
    [InlineData(250, 4, 2, 125)]
    [InlineData(1, -1, 1, 1)]
    public void Lokr_Factors(int size, int factor, int m, int n) => Assert.Equal((m, n), LokrLinear.Factors(size, factor));

    [Fact]
    public void Ia3_ScalesOutputsWithTheirBias_OrInputs()
    {
        using var scope = NewDisposeScope();
        var (model, layer) = Layer(3, 2);
        var x = Numbers.Uniform(1, 1, 4, 3);
        using (var adapted = AdaptedModel.Attach(model, new Ia3Options { Targets = ["layer"] }))
        {
            AdapterModels.Randomize(adapted, scale: 1);
            TensorAssert.Close((x.matmul(layer.weight!.t()) + layer.bias!) * Parts(adapted)["ia3_l"].reshape(2), model.call(x), 1e-14);
        }
        using (var adapted = AdaptedModel.Attach(model, new Ia3Options { Targets = ["layer"], FeedForward = ["layer"] }))
        {
            AdapterModels.Randomize(adapted, scale: 1);
            TensorAssert.Close((x * Parts(adapted)["ia3_l"].reshape(3)).matmul(layer.weight!.t()) + layer.bias!, model.call(x), 1e-14);
        }
        model.Dispose();
    }

    // A file that holds its projection and one that names only the key must mean the same: the numbers are torch's own for the seed.
    [Golden.GoldenFolderFact("peft", "vera")]
    public void Vera_Projection_IsDrawnAsPeftDrawsIt()
    {
        using var scope = NewDisposeScope();
        var directory = Path.Combine(Golden.GoldenFile.Directory, "peft", "vera");
        using var model = PostTrain.Models.Pretrained.Load(Path.Combine(Golden.GoldenFile.Directory, "peft", "base-llama"));
        using var adapted = AdaptedModel.Attach(
            model,
            new VeraOptions
            {
                Targets = ["q_proj", "o_proj"],
                Rank = 8,
                ProjectionSeed = 3,
            }
        );
        using var file = PostTrain.Models.SafetensorsFile.Open(Path.Combine(directory, "adapter_model.safetensors"));
        foreach (var item in adapted.Stored("default").Where(item => item.IsGlobal))
            TensorAssert.Same(file.Read(item.Name), item.Tensor, item.Name);
    }

    [Fact]
    public void BitFit_TrainsAllBiases_AndNothingElse()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Models.TinyModels.Create("gpt2");
        var biases = model
            .named_parameters()
            .Where(item => item.name.EndsWith(".bias", StringComparison.Ordinal))
            .Sum(item => item.parameter.numel());
        var ids = AdapterModels.Ids();
        var plain = AdapterModels.Bytes(AdapterModels.Logits(model, ids));
        Tensor with;
        using (var adapted = AdaptedModel.Attach(model, new BitFitOptions()))
        {
            Assert.Equal(biases, adapted.TrainableCount);
            Assert.Equal(plain, AdapterModels.Bytes(AdapterModels.Logits(model, ids)));
            AdapterModels.Randomize(adapted);
            with = AdapterModels.Logits(model, ids);
            adapted.Save(folder.Path);
            adapted.Merge();
            TensorAssert.Close(with, AdapterModels.Logits(model, ids), 1e-12, "merged");
        }
        using var loaded = AdaptedModel.Load(model, folder.Path);
        TensorAssert.Same(with, AdapterModels.Logits(model, ids), "loaded");
        using var llama = AdapterModels.Llama();
        Assert.Throws<ArgumentException>(() => AdaptedModel.Attach(llama, new BitFitOptions()));
    }

    [Fact]
    public void AdaLora_Budget_FallsWithACube()
    {
        using var model = AdapterModels.Llama();
        using var adapted = AdaptedModel.Attach(
            model,
            new AdaLoraOptions
            {
                Targets = ["q_proj"],
                InitialRank = 6,
                TargetRank = 2,
                WarmupSteps = 10,
                FinalSteps = 20,
                Interval = 5,
                TotalSteps = 130,
            }
        );
        var allocator = new AdaLoraAllocator(adapted);
        Assert.Equal((12, 4), (allocator.InitialBudget, allocator.TargetBudget));
        Assert.Equal((12, false), allocator.BudgetAt(10));
        // Half of the way: 8 / 8 + 4.
        Assert.Equal((5, true), allocator.BudgetAt(60));
        // 8 · 0.49³ + 4 = 4.94, cut off.
        Assert.Equal((4, false), allocator.BudgetAt(61));
        Assert.Equal((4, true), allocator.BudgetAt(110));
        Assert.Equal((4, true), allocator.BudgetAt(111));
        using var other = new AdaptedModelScope();
        Assert.Throws<ArgumentException>(() => new AdaLoraAllocator(other.Adapted));
    }

    [Fact]
    public void AdaLora_Update_KeepsTheMostImportantDirections()
    {
        using var scope = NewDisposeScope();
        var (model, layer) = Layer(5, 4);
        using var adapted = AdaptedModel.Attach(
            model,
            new AdaLoraOptions
            {
                Targets = ["layer"],
                InitialRank = 4,
                TargetRank = 1,
                TotalSteps = 40,
                FinalSteps = 10,
            }
        );
        var allocator = new AdaLoraAllocator(adapted);
        Assert.Throws<InvalidOperationException>(() => allocator.Update(0));
        // The target is a change of rank 1, so that one direction carries the loss.
        var target = layer.weight!.detach() + Numbers.Uniform(3, 1, 4, 1).matmul(Numbers.Uniform(4, 1, 1, 5));
        var x = Numbers.Uniform(5, 1, 30, 5);
        using var optimizer = optim.Adam(adapted.TrainableParameters.Select(item => item.Parameter), lr: 0.05);
        var kept = new List<int>();
        for (var step = 0; step < 60; step++)
        {
            optimizer.zero_grad();
            var loss = (model.call(x) - layer.bias!.detach() - x.matmul(target.t())).square().sum() + adapted.OrthogonalityPenalty();
            loss.backward();
            optimizer.step();
            allocator.Update(step);
            kept.Add(allocator.Kept);
        }
        Assert.Equal(4, kept[0]);
        Assert.True(kept.Zip(kept.Skip(1)).All(pair => pair.Second <= pair.First + 1));
        Assert.Equal(1, kept[^1]);
        Assert.Equal(3, Numbers.Values(Parts(adapted)["lora_E"]).Count(value => value == 0));
        model.Dispose();
    }

    // A = [1 0; 0 2] has ‖AAᵀ − I‖ = 3, B = 0 has ‖BᵀB − I‖ = √2.
    [Fact]
    public void AdaLora_Penalty_ByHand()
    {
        using var scope = NewDisposeScope();
        var (model, _) = Layer(2, 3);
        using var adapted = AdaptedModel.Attach(
            model,
            new AdaLoraOptions
            {
                Targets = ["layer"],
                InitialRank = 2,
                TargetRank = 1,
                OrthogonalityWeight = 0.25,
            }
        );
        var p = Parts(adapted);
        using (no_grad())
        {
            p["lora_A"]
                .copy_(
                    tensor(
                        new[,]
                        {
                            { 1.0, 0 },
                            { 0, 2 },
                        }
                    )
                );
            p["lora_B"].zero_();
        }
        TensorAssert.Close(0.25 * (3 + Math.Sqrt(2)) / 2, adapted.OrthogonalityPenalty(), 1e-12);
        model.Dispose();
    }

    [Fact]
    public void Concatenation_IsTheExactSum_AndLinearHasCrossTerms()
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids();
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["q_proj", "embed_tokens"],
                Rank = 2,
                Alpha = 3,
            },
            "a"
        );
        AdapterModels.Randomize(adapted);
        adapted.Add(
            "b",
            new LoraOptions
            {
                Targets = ["q_proj", "v_proj"],
                Rank = 3,
                Alpha = 3,
            },
            seed: 4
        );
        adapted.Activate("b");
        AdapterModels.Randomize(adapted, seed: 30);
        adapted.Activate("a", "b");
        var both = AdapterModels.Logits(model, ids);
        adapted.Combine("sum", [("a", 1), ("b", 1)], new CombinationOptions());
        adapted.Activate("sum");
        TensorAssert.Close(both, AdapterModels.Logits(model, ids), 1e-12, "concatenation");
        adapted.Combine("one", [("a", 1)], new CombinationOptions { Kind = CombinationKind.Linear });
        adapted.Activate("a");
        var alone = AdapterModels.Logits(model, ids);
        adapted.Activate("one");
        TensorAssert.Close(alone, AdapterModels.Logits(model, ids), 1e-12, "one of one");
        Assert.Contains(
            "ranks",
            Assert
                .Throws<ArgumentException>(() =>
                    adapted.Combine("c", [("a", 1), ("b", 1)], new CombinationOptions { Kind = CombinationKind.Ties })
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => adapted.Combine("c", [("x", 1)], new CombinationOptions()));
        using var folder = new TemporaryDirectory();
        adapted.Save(folder.Path, "sum");
        adapted.Dispose();
        using var loaded = AdaptedModel.Load(model, folder.Path);
        TensorAssert.Close(both, AdapterModels.Logits(model, ids), 1e-12, "loaded");
    }

    // E over what is dropped is the tensor; at density 1 nothing is.
    [Fact]
    public void Merging_HasItsIdentities()
    {
        using var scope = NewDisposeScope();
        Tensor[] tasks = [Numbers.Uniform(21, 1, 4, 5), Numbers.Uniform(22, 1, 4, 5), Numbers.Uniform(23, 1, 4, 5)];
        // A thing merged with itself is itself, and all of one is that one.
        TensorAssert.Close(tasks[0], TaskVectors.Ties([tasks[0], tasks[0]], [1, 1], 1), 1e-15);
        TensorAssert.Close(tasks[0], TaskVectors.TaskArithmetic([tasks[0], tasks[0]], [0.5, 0.5]), 1e-15);
        TensorAssert.Close(tasks[1], TaskVectors.TaskArithmetic(tasks, [0, 1, 0]), 0);
        TensorAssert.Close(TaskVectors.TaskArithmetic(tasks, [1, 2, 3]), TaskVectors.MagnitudePrune(tasks, [1, 2, 3], 1), 0);
        // The election of signs, entry by entry.
        double[][] values = [.. tasks.Select(Numbers.Values)];
        double[] elected =
        [
            .. Enumerable
                .Range(0, 20)
                .Select(i =>
                {
                    int sign = values.Sum(task => task[i]) >= 0 ? 1 : -1;
                    return values.Select(task => task[i]).Where(value => Math.Sign(value) == sign).Average();
                }),
        ];
        TensorAssert.Close(elected, TaskVectors.Ties(tasks, [1, 1, 1], 1), 1e-15);
        // Two least-squares tasks on features of their own: the sum of what each has learnt solves both.
        var (first, second) = (Numbers.Uniform(24, 1, 3, 3), Numbers.Uniform(25, 1, 2, 2));
        var (one, two) = (Numbers.Uniform(26, 1, 3, 4), Numbers.Uniform(27, 1, 2, 4));
        var sum = TaskVectors.TaskArithmetic(
            [
                cat([linalg.solve(first, one), zeros(2, 4, dtype: ScalarType.Float64)], 0),
                cat([zeros(3, 4, dtype: ScalarType.Float64), linalg.solve(second, two)], 0),
            ],
            [1, 1]
        );
        TensorAssert.Close(one, cat([first, zeros(3, 2, dtype: ScalarType.Float64)], 1).matmul(sum), 1e-12);
        TensorAssert.Close(two, cat([zeros(2, 3, dtype: ScalarType.Float64), second], 1).matmul(sum), 1e-12);
    }

    [Fact]
    public void Dare_IsUnbiased_AndOwnsItsResults()
    {
        using var scope = NewDisposeScope();
        var tensors = new[] { Numbers.Uniform(1, 1, 4, 3), Numbers.Uniform(2, 1, 4, 3) };
        var mean = zeros(4, 3, dtype: ScalarType.Float64);
        const int Draws = 4000;
        for (var seed = 0UL; seed < Draws; seed++)
        {
            using var inner = NewDisposeScope();
            mean.add_(TaskVectors.DareLinear(tensors, [0.5, 2], 0.4, seed) / Draws);
        }
        // Standard deviation of an entry: about √(0.6/0.4)·2/√4000 = 0.04.
        TensorAssert.Close(TaskVectors.TaskArithmetic(tensors, [0.5, 2]), mean, 0.2);
        TensorAssert.Same(TaskVectors.TaskArithmetic(tensors, [0.5, 2]), TaskVectors.DareLinear(tensors, [0.5, 2], 1, 3));
        Ownership.Check(
            () =>
                [
                    TaskVectors.Ties(tensors, [1, 1], 0.5),
                    TaskVectors.DareTies(tensors, [1, 1], 0.5, 1),
                    TaskVectors.MagnitudePrune(tensors, [1, 1], 0.3),
                ],
            tensors
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => TaskVectors.DareLinear(tensors, [1, 1], 0, 1));
        Assert.Throws<ArgumentException>(() => TaskVectors.Ties(tensors, [1], 0.5));
    }

    private sealed class AdaptedModelScope : IDisposable
    {
        private readonly PostTrain.Models.Decoder model = AdapterModels.Llama();

        internal AdaptedModelScope() => Adapted = AdaptedModel.Attach(model, AdapterModels.Methods["lora"]);

        internal AdaptedModel Adapted { get; }

        public void Dispose()
        {
            Adapted.Dispose();
            model.Dispose();
        }
    }
}
