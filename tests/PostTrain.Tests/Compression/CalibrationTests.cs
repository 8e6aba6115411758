using PostTrain.Compression;
using PostTrain.Compression.Quantization;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>The statistics of layers' inputs, and what is done with them on modules of one's own.</summary>
[Collection("Sequential")]
public sealed class CalibrationTests
{
    [Fact]
    public void OwnModule_IsQuantizedThroughItsOwner()
    {
        using var scope = NewDisposeScope();
        using var own = new Owner();
        var x = QuantizationLawsTests.Normal(1, 5, 64);
        var before = own.call(x);
        using var calibration = Calibration.Observe(own, () => own.call(x));
        Assert.Equal(5, calibration["inner"].Tokens);
        foreach (var quantizer in (IQuantizer[])[Quantizer.Gptq(), Quantizer.Awq(), Quantizer.Nf4()])
        {
            var report = ModelQuantization.Apply(own, quantizer, new QuantizationOptions { Calibration = calibration });
            Assert.Equal(["inner"], report.Layers.Select(layer => layer.Name));
            Assert.IsType<QuantizedLinear>(own.Inner);
            Assert.InRange((own.call(x) - before).norm().ToDouble() / before.norm().ToDouble(), 1e-4, 0.3);
            ModelQuantization.Restore(own);
        }
        using var sequence = nn.Sequential(("layer", nn.Linear(4, 4)));
        Assert.Contains(
            nameof(ILayerOwner),
            Assert.Throws<ArgumentException>(() => ModelQuantization.Apply(sequence, Quantizer.Nf4())).Message
        );
    }

    [Fact]
    public void Calibration_SumsWhatTheLayersSee_AndCanBeStopped()
    {
        using var scope = NewDisposeScope();
        using var model = Toy.Model(seed: 3);
        var seen = new List<CompressionProgress>();
        int[][] sequences =
        [
            [1, 2, 3],
            [4, 5, 6, 7],
            [8],
        ];
        using var calibration = Calibration.Run(model, sequences, new CalibrationOptions { Samples = 5 }, new Listener(seen.Add));
        Assert.Equal([1, 2, 3], seen.Select(step => step.Done));
        Assert.Equal(7, calibration.Names.Count);
        var statistics = calibration["model.layers.0.self_attn.q_proj"];
        Assert.Equal((3, 8), (statistics.Sequences, statistics.Tokens));
        Assert.Equal(5, statistics.Samples!.size(0));
        // The first projection sees the normalised embeddings.
        var modules = model.named_modules().ToDictionary(item => item.name, item => item.module);
        var norm = (nn.Module<Tensor, Tensor>)modules["model.layers.0.input_layernorm"];
        using (no_grad())
        {
            var rows = cat([.. sequences.Select(ids => norm.call(model.Embed(tensor(Array.ConvertAll(ids, id => (long)id)))))], 0);
            TensorAssert.Close(rows.t().mm(rows), statistics.Gram, 1e-5, "gram");
            TensorAssert.Close(rows.abs().amax([0L]), statistics.Absmax, 1e-6, "absmax");
            TensorAssert.Close(rows.abs().mean([0L]), statistics.MeanMagnitude(), 1e-5, "mean");
            TensorAssert.Close(rows.square().sum([0L]) / 3, statistics.FeatureNormSquared(), 1e-5, "norms");
        }
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() =>
            Calibration.Run(model, sequences, progress: new Listener(_ => stop.Cancel()), cancellation: stop.Token)
        );
        Assert.Throws<ArgumentException>(() => Calibration.Run(model, (int[][])[]));
        Assert.Throws<ArgumentException>(() => ModelQuantization.Apply(model, Quantizer.Gptq()));
        Assert.Contains("q_proj", Assert.Throws<ArgumentException>(() => calibration["other"]).Message, StringComparison.Ordinal);
    }

    private sealed class Listener(Action<CompressionProgress> tell) : IProgress<CompressionProgress>
    {
        public void Report(CompressionProgress value) => tell(value);
    }

    private sealed class Owner : nn.Module<Tensor, Tensor>, ILayerOwner
    {
        private nn.Module<Tensor, Tensor> inner = nn.Linear(64, 32);

        public Owner()
            : base(nameof(Owner)) => RegisterComponents();

        public nn.Module<Tensor, Tensor> Inner => inner;

        public override Tensor forward(Tensor input) => inner.call(input);

        public void ReplaceLayer(string name, nn.Module<Tensor, Tensor> layer)
        {
            register_module(name, null!);
            register_module(name, layer);
            inner = layer;
        }
    }
}
