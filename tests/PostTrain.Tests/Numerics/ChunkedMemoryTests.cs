using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

/// <summary>How much memory a loss takes at its peak, by the kernel's own count.</summary>
[Collection("Sequential")]
public sealed class ChunkedMemoryTests
{
    private const long Rows = 2048,
        Width = 16,
        Vocabulary = 16384;

    [LinuxFact]
    public void LogitsOfOneChunkAtMost_AreHeld()
    {
        using var scope = NewDisposeScope();
        var hidden = Numbers.Uniform(1, 1, 1, Rows, Width).to_type(ScalarType.Float32).requires_grad_(true);
        var weight = Numbers.Uniform(2, 1, Vocabulary, Width).to_type(ScalarType.Float32).requires_grad_(true);
        var (targets, mask) = (Numbers.Ids(3, (int)Vocabulary, 1, Rows), ones(1, Rows));
        // All logits are 128 MiB in float32, those of 16 positions 1 MiB, of which forward and backward hold about ten at a time.
        const long all = Rows * Vocabulary * 4;
        long whole = ResidentPeak.Of(() =>
            SupervisedLosses.NegativeLogLikelihood(hidden.matmul(weight.t()), targets, mask).Loss.backward()
        );
        long chunked = ResidentPeak.LeastOf(() =>
            SupervisedLosses.ChunkedCrossEntropy(hidden, weight, targets, mask, chunkSize: 16).Loss.backward()
        );
        Assert.True(whole > all, $"the measurement sees {whole >> 20} MiB where all logits are held");
        Assert.True(chunked < all / 2, $"{chunked >> 20} MiB at the peak, expected less than half of all logits");
    }
}
