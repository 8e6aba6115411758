using PostTrain.Adapters;
using PostTrain.Compression;
using PostTrain.Compression.Pruning;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>Models with masks, without layers or heads, and with factors.</summary>
[Collection("Sequential")]
public sealed class PrunedModelTests
{
    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1+1=", "ba"), new("2=", "ab"), new("7=", "b")];

    public static TheoryData<string> Architectures => [.. TinyModels.All.Keys];

    public static TheoryData<string> Optimizers => ["adamw", "sgd", "muon"];

    // Momentum, weight decay, and an optimiser that mixes the entries of a matrix.
    [Theory]
    [MemberData(nameof(Optimizers))]
    public void Masks_StayWhileTraining(string optimizer)
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(seed: 3);
        string[] names = [.. model.named_parameters().Select(item => item.name).Order(StringComparer.Ordinal)];
        using (var pruned = PrunedModel.Attach(model, Pruner.Magnitude(Sparsity.Pattern(2, 4))))
        {
            Assert.Equal(0.5, pruned.Removed(), 12);
            Assert.Equal(names, model.named_parameters().Select(item => item.name).Order(StringComparer.Ordinal));
            var options = new SftOptions
            {
                Steps = 30,
                BatchSize = 4,
                LearningRate = optimizer == "sgd" ? 0.3 : 1e-2,
                WeightDecay = 0.1,
                Optimizer = optimizer switch
                {
                    "sgd" => OptimizerChoice.Sgd(0.9),
                    "muon" => OptimizerChoice.Muon(),
                    _ => OptimizerChoice.AdamW,
                },
            };
            using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
            double before = trainer.Evaluate(Shown)["eval/loss"];
            _ = trainer.Run(Shown).Last();
            double after = trainer.Evaluate(Shown)["eval/loss"];
            Assert.True(after < before, $"the loss went from {before} to {after}");
            if (optimizer != "muon")
                Assert.All(
                    pruned.Layers.Values,
                    layer => TensorAssert.Zero(layer.Weight.masked_select(layer.Kept.logical_not()), "removed entries")
                );
            var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
            var masked = model.call(ids);
            pruned.Dispose();
            TensorAssert.Close(masked, model.call(ids), 1e-6, "without masks");
        }
        using var folder = new TemporaryDirectory();
        Pretrained.Save(model, folder.Path);
        using var loaded = Pretrained.Load(folder.Path);
        foreach (
            var (name, parameter) in loaded.named_parameters().Where(item => item.name.EndsWith("_proj.weight", StringComparison.Ordinal))
        )
            Assert.All(
                parameter.ne(0).reshape(-1, 4).sum(1).data<long>().ToArray(),
                kept => Assert.True(kept <= 2, $"{name} has a group of four with {kept} entries")
            );
    }

    [Fact]
    public void Masks_WorkUnderAdapters_AndAreSavedInCheckpoints()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Toy.Model(seed: 3);
        using var calibration = Calibration.Run(
            model,
            (int[][])
                [
                    [1, 2, 3, 4, 5, 6],
                    [7, 8, 9, 1, 2, 3],
                ]
        );
        using var pruned = PrunedModel.Attach(model, Pruner.Wanda(Sparsity.Part(0.5)), new PruningOptions { Calibration = calibration });
        var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ModuleSelection.AllLinear, Rank = 4 });
        using (var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = 10, LearningRate = 1e-2 }))
        {
            double before = trainer.Evaluate(Shown)["eval/loss"];
            _ = trainer.Run(Shown).Last();
            Assert.True(trainer.Evaluate(Shown)["eval/loss"] < before);
        }
        Assert.Equal(14, adapted.TrainableParameters.Count);
        adapted.Dispose();
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void WithoutLayers_ThatAddNothing_IsTheSameModel(string architecture)
    {
        using var scope = NewDisposeScope();
        // Three layers of the first kinds of attention, the one in the middle of which adds nothing.
        var config = TinyModels.Config(architecture) with
        {
            Layers = 3,
        };
        using var model = TinyModels.Create(config);
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        var names = ModuleNames.Of(model.Config);
        var prefix = $"{names.Backbone}.{names.Layers}.1.";
        using (no_grad())
        {
            foreach (var (name, parameter) in model.named_parameters())
            {
                if (
                    name.StartsWith(prefix + names.Attention + "." + names.AttentionOutput, StringComparison.Ordinal)
                    || name.StartsWith(prefix + names.FeedForward + "." + names.Down, StringComparison.Ordinal)
                    || (name.StartsWith(prefix, StringComparison.Ordinal) && name.EndsWith("norm.bias", StringComparison.Ordinal))
                )
                    parameter.zero_();
            }
        }
        using var smaller = StructuredPruning.WithoutLayers(model, 1);
        Assert.Equal(2, smaller.Config.Layers);
        TensorAssert.Close(model.call(ids), smaller.call(ids), 1e-12, "logits");
        double[] importance = Importance.OfLayers(model, [ids]);
        Assert.Equal(0, importance[1], 1e-12);
        Assert.True(importance[0] > 1e-3 && importance[2] > 1e-3);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void WithoutHeads_ThatAddNothing_IsTheSameModel(string architecture)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture);
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        var config = model.Config;
        var names = ModuleNames.Of(config);
        if (config.KeyValueHeads == 1)
        {
            Assert.Throws<ArgumentException>(() =>
                StructuredPruning.WithoutHeads(model, [.. Enumerable.Repeat((int[])[0], config.Layers)])
            );
            return;
        }
        // In layer i the head i mod H_kv gives nothing to the output.
        int width = config.Heads / config.KeyValueHeads * config.HeadSize;
        int[][] gone = [.. Enumerable.Range(0, config.Layers).Select(layer => (int[])[layer % config.KeyValueHeads])];
        using (no_grad())
        {
            foreach (var (name, parameter) in model.named_parameters())
            {
                for (var layer = 0; layer < config.Layers; layer++)
                {
                    if (name == $"{names.Backbone}.{names.Layers}.{layer}.{names.Attention}.{names.AttentionOutput}.weight")
                        parameter.narrow(1, gone[layer][0] * width, width).zero_();
                }
            }
        }
        double[][] importance = Importance.OfHeads(model, [ids]);
        for (var layer = 0; layer < config.Layers; layer++)
        for (var head = 0; head < config.KeyValueHeads; head++)
            Assert.True(head == gone[layer][0] ? importance[layer][head] == 0 : importance[layer][head] > 0);
        Assert.All(model.parameters(), parameter => Assert.True(parameter.requires_grad && parameter.grad is null));
        using var smaller = StructuredPruning.WithoutHeads(model, gone);
        Assert.Equal(config.KeyValueHeads - 1, smaller.Config.KeyValueHeads);
        TensorAssert.Close(model.call(ids), smaller.call(ids), 1e-12, "logits");
        using var cache = smaller.NewCache(2, 9);
        TensorAssert.Close(smaller.Hidden(ids), smaller.Hidden(ids, cache: cache), 1e-9, "with the cache");
    }

    // Gates of 1 − ε change the loss by ε times the importance, to first order.
    [Fact]
    public void HeadImportance_IsTheChangeOfTheLoss()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 12);
        double[][] importance = Importance.OfHeads(model, [ids]);
        const double step = 1e-5;
        var names = ModuleNames.Of(model.Config);
        int width = model.Config.Heads / model.Config.KeyValueHeads * model.Config.HeadSize;
        using var mode = no_grad();
        for (var layer = 0; layer < model.Config.Layers; layer++)
        for (var head = 0; head < model.Config.KeyValueHeads; head++)
        {
            var output = model
                .named_parameters()
                .Single(item => item.name == $"{names.Backbone}.{names.Layers}.{layer}.{names.Attention}.{names.AttentionOutput}.weight")
                .parameter.narrow(1, head * width, width);
            output.mul_(1 + step);
            double up = Loss();
            output.mul_((1 - step) / (1 + step));
            double down = Loss();
            output.div_(1 - step);
            Assert.Equal(importance[layer][head], Math.Abs(up - down) / (2 * step), 1e-4 * (1 + importance[layer][head]));
        }

        double Loss()
        {
            using var inner = NewDisposeScope();
            return nn
                .functional.cross_entropy(
                    model.call(ids).narrow(1, 0, 11).reshape(-1, model.VocabularySize),
                    ids.narrow(1, 1, 11).reshape(-1)
                )
                .ToDouble();
        }
    }

    [Fact]
    public void StructuredPruning_IsSavedAndRefusesWhatIsNotThere()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Toy.Model(seed: 3, layers: 3);
        using var smaller = StructuredPruning.WithoutLayers(model, 0, 2);
        Pretrained.Save(smaller, folder.Path);
        using var loaded = Pretrained.Load(folder.Path);
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        TensorAssert.Same(smaller.call(ids), loaded.call(ids), "loaded");
        Assert.Throws<ArgumentException>(() => StructuredPruning.WithoutLayers(model, 0, 1, 2));
        Assert.Throws<ArgumentException>(() => StructuredPruning.WithoutLayers(model, 3));
        Assert.Throws<ArgumentException>(() => StructuredPruning.WithoutLayers(model, 1, 1));
        Assert.Throws<ArgumentException>(() =>
            StructuredPruning.WithoutHeads(
                model,
                [
                    [0],
                    [0],
                ]
            )
        );
        Assert.Throws<ArgumentException>(() =>
            StructuredPruning.WithoutHeads(
                model,
                [
                    [0],
                    [0],
                    [],
                ]
            )
        );
        Assert.Throws<ArgumentException>(() => Importance.OfLayers(model, []));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void LowRank_OfAModel_TrainsAndGoesBack(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(seed: 3, type);
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 12);
        using var calibration = Calibration.Run(model, [ids]);
        var ranks = LowRank.Apply(model, 0.5, new PruningOptions { Calibration = calibration });
        Assert.Equal(7, ranks.Count);
        Assert.Equal(4, ranks["model.layers.0.self_attn.q_proj"]);
        Assert.Throws<InvalidOperationException>(() => model.Copy());
        using (
            var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 20,
                    BatchSize = 4,
                    LearningRate = 1e-2,
                }
            )
        )
        {
            double before = trainer.Evaluate(Shown)["eval/loss"];
            _ = trainer.Run(Shown).Last();
            Assert.True(trainer.Evaluate(Shown)["eval/loss"] < before);
        }
        var factored = model.call(ids);
        Assert.Equal(7, LowRank.Restore(model).Count);
        TensorAssert.Close(factored, model.call(ids), type == ScalarType.BFloat16 ? 3e-2 : 1e-5, "product");
        using var copy = model.Copy();
    }
}
