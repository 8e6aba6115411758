using System.Runtime.InteropServices;
using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>What tests of the trainers train: a tokenizer of 20 tokens and a decoder of a few thousand weights.</summary>
internal static class Toy
{
    internal static CharacterTokenizer Tokenizer { get; } = new("0123456789+=abcdef");

    private static readonly AsyncLocal<Device?> Place = new();

    /// <summary>Until the result is disposed, models are made there.</summary>
    internal static IDisposable On(Device device)
    {
        Place.Value = device;
        return new Here();
    }

    internal static Decoder Model(ulong seed = 1, ScalarType type = ScalarType.Float32, int layers = 1, int hidden = 16)
    {
        var model = Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Tokenizer.VocabularySize,
                ContextLength = 16,
                HiddenSize = hidden,
                Layers = layers,
                Heads = 2,
                FeedForwardSize = 32,
            },
            seed,
            type
        );
        return Place.Value is { } place ? model.to(place) : model;
    }

    /// <summary>Every parameter's bytes, one after the other.</summary>
    internal static byte[] Bytes(nn.Module model)
    {
        using var scope = NewDisposeScope();
        return [.. model.parameters().SelectMany(parameter => parameter.detach().cpu().contiguous().bytes.ToArray())];
    }

    /// <summary>Checks that two models' float32 parameters are equal up to rounding, where one was trained in one pass over
    /// memory.</summary>
    internal static void Near(byte[] expected, byte[] actual, double tolerance = 1e-6)
    {
        Assert.Equal(expected.Length, actual.Length);
        foreach (
            var (one, other) in MemoryMarshal.Cast<byte, float>(expected).ToArray().Zip(MemoryMarshal.Cast<byte, float>(actual).ToArray())
        )
            Assert.Equal(one, other, tolerance * (1 + Math.Abs(one)));
    }

    /// <summary>A report's numbers without those that measure time.</summary>
    internal static Dictionary<string, double> Numbers(StepReport report) =>
        new(report.Metrics.Where(metric => metric.Key != "tokens_per_second" && !metric.Key.StartsWith("time/", StringComparison.Ordinal)))
        {
            ["loss"] = report.Loss,
            ["step"] = report.Step,
        };

    /// <summary>Log-probabilities of the token after each position, [T][V], worked out in C# from the model's logits.</summary>
    internal static double[][] LogProbs(CausalLm model, int[] ids)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var logits = Support.Numbers.Values(model.call(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0)));
        return
        [
            .. logits
                .Chunk(model.VocabularySize)
                .Select(row =>
                {
                    double largest = row.Max(),
                        total = largest + Math.Log(row.Sum(value => Math.Exp(value - largest)));
                    return row.Select(value => value - total).ToArray();
                }),
        ];
    }

    private sealed class Here : IDisposable
    {
        public void Dispose() => Place.Value = null;
    }
}
