using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Operators;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>The pass over one position in memory against the same pass by tensor operators, and what it promises.</summary>
public sealed class PositionStepTests
{
    public static TheoryData<string> Names => [.. Configs.Keys];

    private static readonly Dictionary<string, DecoderConfig> Configs = new()
    {
        ["llama"] = Base() with { KeyValueHeads = 2 },
        ["gpt2"] = DecoderConfig.Gpt2(37, 40, 30, 2, 5),
        ["biases, odd sizes"] = Base() with
        {
            HiddenSize = 27,
            Heads = 3,
            HeadSize = 10,
            FeedForwardSize = 19,
            AttentionBias = true,
            FeedForwardBias = true,
            TiedEmbeddings = false,
        },
        ["gemma"] = Base() with
        {
            Normalization = Normalization.RmsNormOffset,
            NormPlacement = NormPlacement.BeforeAndAfter,
            Activation = Activation.GeluTanh,
            EmbeddingScale = 3,
            LogitSoftCap = 2,
            HeadSize = 8,
            Attention =
            [
                new AttentionSpec
                {
                    Window = 3,
                    SoftCap = 1,
                    Scale = 0.7,
                    QueryKeyNorm = true,
                },
                new AttentionSpec
                {
                    QueryKeyNorm = true,
                    Rotary = new RotarySpec { Theta = 100, Scaling = new LinearScaling(2) },
                },
            ],
        },
        ["fused projections, part of a head turned"] = Base() with
        {
            FusedProjections = true,
            HeadSize = 12,
            Attention = [new AttentionSpec { Rotary = new RotarySpec { Fraction = 0.5 } }],
        },
        ["relu without gate"] = Base() with { Activation = Activation.Relu, GatedFeedForward = false },
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void PassesByMemoryAndByTensorsAgree(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var (type, tolerance) in new[] { (ScalarType.Float64, 1e-11), (ScalarType.Float32, 1e-4) })
        {
            using var model = Decoder.Create(Configs[name], 3, type);
            Enlarge(model);
            foreach (var segments in Maps())
            {
                var expected = Run(model, segments, byTensors: true);
                var actual = Run(model, segments, byTensors: false);
                Assert.True((expected - actual).abs().max().ToDouble() < tolerance, $"{name} {type}");
            }
        }
    }

    [Fact]
    public void ARowIsTheSameToTheBitInAnyBatchAndForAnyThreads()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Base() with { HiddenSize = 96, Heads = 6, FeedForwardSize = 200, VocabularySize = 300 }, 5);
        Enlarge(model);
        var ids = tensor([.. Enumerable.Range(0, 9 * 4).Select(i => (long)(i * 7 % 300))], [9, 4]);
        var before = get_num_threads();
        try
        {
            var runs = new List<Tensor>();
            foreach (var threads in new[] { 1, 2 })
            {
                set_num_threads(threads);
                runs.Add(Steps(model, ids, null));
            }
            set_num_threads(1);
            runs.Add(cat([.. Enumerable.Range(0, 9).Select(row => Steps(model, ids.narrow(0, row, 1), null))], 1));
            Assert.All(runs, run => Assert.Equal(runs[0].bytes.ToArray(), run.bytes.ToArray()));
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void HooksReplacedWeightsAndOtherTypesAreSeen()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Base(), 7);
        using var cache = model.NewCache(1, 20);
        var ids = tensor([5L], [1, 1]);
        model.NextLogits(ids, null, cache);
        Assert.NotNull(cache.Step);
        var plain = Next();

        var layer = model.named_modules().Select(item => item.module).OfType<TorchSharp.Modules.Linear>().First();
        var calls = 0;
        var hook = layer.register_forward_hook((_, _, output) => (++calls, output.mul(2)).Item2);
        var hooked = Next();
        Assert.Equal(2, calls);
        Assert.NotEqual(plain.bytes.ToArray(), hooked.bytes.ToArray());
        hook.remove();
        using (no_grad())
            layer.weight!.mul_(3);
        Assert.NotEqual(plain.bytes.ToArray(), Next().bytes.ToArray());

        // The same position again each time.
        Tensor Next()
        {
            using var fresh = model.NewCache(1, 20);
            model.NextLogits(ids, null, fresh);
            return model.NextLogits(ids, null, fresh);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("fused projections, part of a head turned")]
    public void LayersWithAdapters_AreCalled_AndGiveTheSame(string name)
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Configs[name], 3, ScalarType.Float64);
        Enlarge(model);
        var plain = Run(model, null, byTensors: false);
        using var adapted = AdaptedModel.Attach(model, new LoraOptions { Rank = 2, Targets = ModuleSelection.AllLinear });
        using (no_grad())
        {
            foreach (var (key, parameter) in model.named_parameters().Where(item => item.name.Contains("lora", StringComparison.Ordinal)))
                parameter.add_(0.2);
        }
        using var cache = model.NewCache(1, 4);
        model.NextLogits(tensor([5L], [1, 1]), null, cache);
        Assert.NotNull(cache.Step);
        var expected = Run(model, null, byTensors: true);
        Assert.True((expected - Run(model, null, byTensors: false)).abs().max().ToDouble() < 1e-11);
        Assert.True((expected - plain).abs().max().ToDouble() > 1e-3);
    }

    [Fact]
    public void AHookSetDuringAGenerationCounts()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Base(), 7);
        using var cache = model.NewCache(1, 20);
        var ids = tensor([5L], [1, 1]);
        model.NextLogits(ids, null, cache);
        var calls = 0;
        var layer = model.named_modules().Select(item => item.module).OfType<TorchSharp.Modules.Linear>().First();
        var hook = layer.register_forward_hook((_, _, output) => (++calls, output).Item2);
        model.NextLogits(ids, null, cache);
        Assert.Equal(1, calls);
        hook.remove();
    }

    [Fact]
    public void AnIdOutsideTheVocabularyIsNamed()
    {
        using var scope = NewDisposeScope();
        using var model = Decoder.Create(Base(), 7);
        using var cache = model.NewCache(1, 20);
        model.NextLogits(tensor([5L], [1, 1]), null, cache);
        var error = Assert.Throws<ArgumentException>(() => model.NextLogits(tensor([99L], [1, 1]), null, cache));
        Assert.Contains("ids holds 99, expected ids from 0 to 36", error.Message, StringComparison.Ordinal);
    }

    // A prompt of four positions, then a position at a time: the logits of all single positions, [n,B,V].
    private static Tensor Run(Decoder model, Tensor? segments, bool byTensors)
    {
        using var period = byTensors ? Fused.Reference() : null;
        var ids = tensor([.. Enumerable.Range(0, 3 * 12).Select(i => (long)(i * 5 % 37))], [3, 12]);
        return Steps(model, ids, segments);
    }

    private static Tensor Steps(Decoder model, Tensor ids, Tensor? segments)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var length = (int)ids.size(1);
        using var cache = model.NewCache((int)ids.size(0), length);
        var logits = new List<Tensor>();
        for (var t = 0; t < length; t++)
            logits.Add(model.NextLogits(ids.narrow(1, t, 1), segments?.narrow(1, 0, t + 1), cache));
        return stack(logits).MoveToOuterDisposeScope();
    }

    // None, padding on the left, and sequences beside each other in a row.
    private static IEnumerable<Tensor?> Maps()
    {
        yield return null;
        yield return tensor(
            new long[] { 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
            [3, 12]
        );
        yield return tensor(
            new long[] { 1, 1, 2, 2, 2, 1, 1, 2, 2, 0, 2, 2, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1 },
            [3, 12]
        );
    }

    // Random weights of a start are so small that everything is nearly linear.
    private static void Enlarge(Decoder model)
    {
        using var mode = no_grad();
        foreach (var (_, parameter) in model.named_parameters())
            parameter.mul_(parameter.dim() == 2 ? 12 : 1).add_(parameter.dim() == 1 ? 0.05 : 0);
    }

    private static DecoderConfig Base() =>
        new()
        {
            VocabularySize = 37,
            ContextLength = 40,
            HiddenSize = 32,
            Layers = 2,
            Heads = 4,
            FeedForwardSize = 44,
        };
}
