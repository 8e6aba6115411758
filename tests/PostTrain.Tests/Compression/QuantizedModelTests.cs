using PostTrain.Adapters;
using PostTrain.Compression;
using PostTrain.Compression.Quantization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>Quantised layers in a model, and adapters over them.</summary>
[Collection("Sequential")]
public sealed class QuantizedModelTests
{
    private static readonly LoraOptions Lora = new()
    {
        Rank = 4,
        Alpha = 8,
        Targets = ModuleSelection.AllLinear,
    };

    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1+1=", "ba"), new("2=", "ab"), new("7=", "b")];

    public static TheoryData<string> Architectures => [.. TinyModels.All.Keys];

    // SmolLM-135M: 30 layers of 576, 9 heads over 3, 1536 inside, 49152 tied tokens.
    [Fact]
    public void Nf4_OfThe135MShape_TakesAtMostThreeTenthsOfBfloat16()
    {
        var config = new DecoderConfig
        {
            VocabularySize = 49152,
            ContextLength = 2048,
            HiddenSize = 576,
            Layers = 30,
            Heads = 9,
            KeyValueHeads = 3,
            FeedForwardSize = 1536,
        };
        using var model = Decoder.Create(config, seed: 1, ScalarType.BFloat16);
        Assert.Equal(134_515_008, model.parameters().Sum(parameter => parameter.NumberOfElements));
        long before = ModelQuantization.Bytes(model);
        Assert.Equal(2 * 134_515_008, before);
        long linear = 30L * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536);

        var report = ModelQuantization.Apply(
            model,
            Quantizer.Nf4(doubleQuantization: false),
            new QuantizationOptions { Embeddings = true }
        );
        // Half a byte an element and four bytes a block of 64.
        long table = 49152L * 576;
        Assert.Equal((linear + table) / 2 + (linear + table) / 64 * 4, report.BytesAfter);
        long norms = 2 * 61 * 576;
        long after = ModelQuantization.Bytes(model);
        Assert.Equal(report.BytesAfter + norms, after);
        Assert.InRange(after / (double)before, 0.28, 0.30);
        // What is counted is what there is: the tensors' own bytes.
        Assert.Equal(after, PackedWeights.Of(model).Sum(item => (long)item.Tensor.bytes.Length) + norms);
        Assert.All(report.Layers, layer => Assert.InRange(layer.RelativeError, 0.05, 0.11));
        using var scope = NewDisposeScope();
        TensorAssert.Finite(model.call(tensor(new long[] { 1, 2, 49151 }).unsqueeze(0)));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void QuantizedModel_IsTheModelWithDequantizedWeights(string architecture)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture);
        using var plain = model.Copy();
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        var before = model.call(ids);
        var report = ModelQuantization.Apply(model, Quantizer.Nf4(), new QuantizationOptions { Embeddings = true });
        Assert.True(report.BytesAfter < 0.5 * report.BytesBefore);
        var quantized = model.call(ids);
        Assert.True((quantized - before).abs().max().ToDouble() > 1e-3, "quantising has changed nothing");

        Assert.Throws<InvalidOperationException>(() => model.Copy());
        Assert.Throws<InvalidOperationException>(() => Pretrained.Save(model, Path.Combine(Path.GetTempPath(), "never")));
        var names = ModelQuantization.Restore(model);
        Assert.Equal(report.Layers.Count, names.Count);
        TensorAssert.Close(quantized, model.call(ids), 1e-5, "logits");
        Assert.Equal(
            plain.named_parameters().Select(item => item.name).Order(StringComparer.Ordinal),
            model.named_parameters().Select(item => item.name).Order(StringComparer.Ordinal)
        );
        using var copy = model.Copy();
        TensorAssert.Same(model.call(ids), copy.call(ids), "copy");
    }

    [Theory]
    [InlineData(ScalarType.Float64, 1e-10)]
    [InlineData(ScalarType.Float32, 1e-5)]
    public void Qlora_HasTheGradientsOfLoraOnTheDequantizedBase(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var quantized = Toy.Model(seed: 3, type, layers: 2);
        ModelQuantization.Apply(quantized, Quantizer.Nf4());
        using var plain = Toy.Model(seed: 3, type, layers: 2);
        ModelQuantization.Apply(plain, Quantizer.Nf4());
        ModelQuantization.Restore(plain);
        using var first = AdaptedModel.Attach(quantized, Lora with { Initialization = LoraInitialization.Random }, seed: 5);
        using var second = AdaptedModel.Attach(plain, Lora with { Initialization = LoraInitialization.Random }, seed: 5);
        var ids = Numbers.Ids(1, quantized.VocabularySize, 3, 11);
        var upstream = Numbers.Uniform(2, 1, 3, 11, quantized.VocabularySize).to_type(type);
        foreach (var model in (Decoder[])[quantized, plain])
            (model.call(ids) * upstream).sum().backward();
        var pairs = first.TrainableParameters.Zip(second.TrainableParameters).ToArray();
        Assert.Equal(2 * 2 * 7, pairs.Length);
        foreach (var (left, right) in pairs)
        {
            Assert.Equal(right.Name, left.Name);
            Assert.True(right.Parameter.grad!.abs().max().ToDouble() > 1e-6);
            TensorAssert.Close(right.Parameter.grad!, left.Parameter.grad!, tolerance, left.Name);
        }
    }

    // A weight of more rows than a block of the buffer holds.
    [Fact]
    public void LargeLayers_AreMultipliedByBlocks()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 2100, 1024);
        using var layer = new QuantizedLinear(BlockQuantization.Nf4(weight), ones(2100));
        var x = QuantizationLawsTests.Normal(2, 2, 3, 1024).requires_grad_(true);
        var upstream = QuantizationLawsTests.Normal(3, 2, 3, 2100);
        (layer.call(x) * upstream).sum().backward();
        var y = layer.call(x);
        var full = layer.Dequantize();
        var leaf = x.detach().clone().requires_grad_(true);
        var expected = nn.functional.linear(leaf, full, ones(2100));
        (expected * upstream).sum().backward();
        TensorAssert.Close(expected, y, 1e-4, "outputs");
        TensorAssert.Close(leaf.grad!, x.grad!, 1e-4, "gradient");
        Assert.Throws<ArgumentException>(() => layer.call(ones(2, 7)));
    }

    // Every dequantised row goes to the same memory, forward and backward, in all layers of a model: no graph can lean on it.
    [Fact]
    public void DequantizedRows_GoToOneBuffer()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(seed: 3, layers: 2);
        var places = new HashSet<nint>();
        var calls = 0;
        ModelQuantization.Apply(
            model,
            Quantizer.Of(
                "recorded",
                weight => new Recorded(
                    Int8Quantization.Rows(weight),
                    place =>
                    {
                        places.Add(place);
                        calls++;
                    }
                )
            )
        );
        using var adapted = AdaptedModel.Attach(model, Lora);
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        model.call(ids).sum().backward();
        (places, calls) = ([], 0);
        model.call(ids).sum().backward();
        // 14 layers; the first three have an input that needs no gradient.
        Assert.Equal(14 + 14 - 3, calls);
        Assert.Single(places);
    }

    [Fact]
    public void Qlora_IsSavedOverTheUnquantizedBasesName()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Toy.Model(seed: 3);
        using var copy = model.Copy();
        ModelQuantization.Apply(model, Quantizer.Nf4());
        using var adapted = AdaptedModel.Attach(model, Lora with { BaseModel = "toy/base" });
        using (var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = 10, LearningRate = 1e-2 }))
            _ = trainer.Run(Shown).Last();
        adapted.Save(folder.Path);
        Assert.Contains("\"toy/base\"", File.ReadAllText(folder.File("adapter_config.json")), StringComparison.Ordinal);
        using var plain = AdaptedModel.Load(copy, folder.Path);
        Assert.Equal(
            adapted.TrainableParameters.Select(item => item.Name).Order(StringComparer.Ordinal),
            plain.TrainableParameters.Select(item => item.Name).Order(StringComparer.Ordinal)
        );
        foreach (var (left, right) in adapted.TrainableParameters.Zip(plain.TrainableParameters))
            TensorAssert.Same(left.Parameter, right.Parameter, left.Name);
        plain.Merge();
        Assert.Contains("compressed", Assert.Throws<InvalidOperationException>(adapted.Merge).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ModelQuantization.Restore(model));
    }

    // The codes are neither in the optimiser nor in the checkpoint, and a run over another base is refused.
    [Fact]
    public void Qlora_ResumesOverTheSameCodesOnly()
    {
        using var folder = new TemporaryDirectory();
        var options = new SftOptions { Steps = 6, LearningRate = 1e-2 };
        var saving = options with { CheckpointDirectory = folder.Path, CheckpointEvery = 3 };
        double[] whole = Losses(Quantizer.Nf4(), saving, null);
        string checkpoint = folder.File("checkpoint-00000003");
        Assert.DoesNotContain(SafetensorsNames(checkpoint), name => name.Contains("codes", StringComparison.Ordinal));
        Assert.Equal(whole[3..], Losses(Quantizer.Nf4(), options, checkpoint));
        var refused = Assert.Throws<InvalidDataException>(() => Losses(Quantizer.Int8Rows(), options, checkpoint));
        Assert.Contains("base", refused.Message, StringComparison.OrdinalIgnoreCase);

        static IEnumerable<string> SafetensorsNames(string checkpoint)
        {
            using var file = SafetensorsFile.Open(Path.Combine(checkpoint, "model.safetensors"));
            return [.. file.Entries.Select(entry => entry.Name)];
        }

        static double[] Losses(IQuantizer quantizer, SftOptions options, string? from)
        {
            using var model = Toy.Model(seed: 3);
            ModelQuantization.Apply(model, quantizer);
            using var adapted = AdaptedModel.Attach(model, Lora);
            using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
            if (from is not null)
                trainer.Resume(from);
            return [.. trainer.Run(Shown).Select(report => report.Loss)];
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dora_AndPissa_OverAQuantizedBase_StartAsTheBase(bool dora)
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(seed: 3);
        ModelQuantization.Apply(model, Quantizer.Nf4());
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        var before = model.call(ids);
        using var adapted = AdaptedModel.Attach(
            model,
            dora ? Lora with { WeightDecomposed = true } : Lora with { Initialization = LoraInitialization.Pissa }
        );
        TensorAssert.Close(before, model.call(ids), 1e-5, "start");
    }

    [Fact]
    public void Loftq_StartsNearerToTheModelThanQlora()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 12);
        var whole = model.call(ids);
        using var other = model.Copy();
        ModelQuantization.Apply(other, Quantizer.Nf4());
        double plain = (other.call(ids) - whole).norm().ToDouble();
        var (lora, report) = Loftq.Apply(model, Lora with { Rank = 8, Alpha = 32 }, Quantizer.Nf4(), iterations: 5);
        Assert.Equal(14, report.Layers.Count);
        using var adapted = AdaptedModel.Attach(model, lora);
        double started = (model.call(ids) - whole).norm().ToDouble();
        Assert.True(started < 0.7 * plain, $"{started} with LoftQ, {plain} without");
        using var folder = new TemporaryDirectory();
        adapted.Save(folder.Path);
        Assert.Contains("\"init_lora_weights\": true", File.ReadAllText(folder.File("adapter_config.json")), StringComparison.Ordinal);
    }

    // KL of the toy's distributions under eight bits.
    [Fact]
    public void Int8_ChangesTheDistributionsLittle()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var ids = Numbers.Ids(1, model.VocabularySize, 4, 20);
        var before = model.call(ids).log_softmax(-1);
        ModelQuantization.Apply(model, Quantizer.Int8Rows());
        var after = model.call(ids).log_softmax(-1);
        double divergence = (before.exp() * (before - after)).sum(-1).mean().ToDouble();
        Assert.InRange(divergence, 0, 1e-3);
    }

    [Fact]
    public void SmoothQuant_KeepsTheModelsFunction()
    {
        foreach (string architecture in TinyModels.All.Keys)
        {
            using var scope = NewDisposeScope();
            using var model = TinyModels.Create(architecture);
            var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
            var before = model.call(ids);
            using var calibration = Calibration.Run(model, [ids], new CalibrationOptions { Gram = false });
            Assert.Equal(2 * model.Config.Layers, SmoothQuant.Apply(model, calibration, 0.7).Count);
            TensorAssert.Close(before, model.call(ids), 1e-3, architecture);
        }
    }

    [Fact]
    public void QuantizationAwareTraining_ComputesWithRoundedWeights_AndTrainsTheFullOnes()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(seed: 3);
        var quantizer = Quantizer.Integers(new IntegerOptions { Bits = 2, GroupSize = 0 });
        string[] names = [.. model.named_parameters().Select(item => item.name).Order(StringComparer.Ordinal)];
        var attached = QuantizationAwareTraining.Attach(model, quantizer);
        Assert.Equal(names, model.named_parameters().Select(item => item.name).Order(StringComparer.Ordinal));
        double before,
            after;
        using (
            var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 40,
                    BatchSize = 4,
                    LearningRate = 1e-2,
                }
            )
        )
        {
            before = trainer.Evaluate(Shown)["eval/loss"];
            _ = trainer.Run(Shown).Last();
            after = trainer.Evaluate(Shown)["eval/loss"];
        }
        Assert.True(after < before / 2, $"the loss went from {before} to {after}");
        var ids = Numbers.Ids(1, model.VocabularySize, 2, 9);
        var fake = model.call(ids);
        attached.Dispose();
        using var copy = model.Copy();
        Assert.True((fake - model.call(ids)).abs().max().ToDouble() > 1e-3);
        // Quantising what was trained gives what training saw.
        ModelQuantization.Apply(copy, quantizer);
        TensorAssert.Close(fake, copy.call(ids), 1e-4, "quantised");
    }

    // A format of one's own.
    private sealed record Recorded(Int8Quantized Inner, Action<nint> Tell) : QuantizedTensor(Inner.Shape, Inner.Type)
    {
        public override IReadOnlyList<(string Name, Tensor Tensor)> Parts => Inner.Parts;

        public override Tensor DequantizeRows(long first, long count) => Inner.DequantizeRows(first, count);

        public override void DequantizeRows(long first, Tensor destination)
        {
            Tell(Memory.Address(destination));
            Inner.DequantizeRows(first, destination);
        }

        public override QuantizedTensor MoveTo(Device device) => new Recorded((Int8Quantized)Inner.MoveTo(device), Tell);
    }
}
