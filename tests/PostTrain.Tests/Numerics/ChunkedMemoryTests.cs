using System.Runtime.InteropServices;
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
        long whole = Peak(() => SupervisedLosses.NegativeLogLikelihood(hidden.matmul(weight.t()), targets, mask).Loss.backward());
        long chunked = Peak(() => SupervisedLosses.ChunkedCrossEntropy(hidden, weight, targets, mask, chunkSize: 16).Loss.backward());
        Assert.True(whole > all, $"the measurement sees {whole >> 20} MiB where all logits are held");
        Assert.True(chunked < all / 2, $"{chunked >> 20} MiB at the peak, expected less than half of all logits");
    }

    // Resets the peak of the resident size (clear_refs 5, man 5 proc), runs, and reads it.
    private static long Peak(Action action)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        // glibc up to 2.37 does not reuse the holes that aligned blocks leave in its heap. Mapped one by one, what is resident is what is
        // held.
        Assert.Equal(1, SetMallocOption(MapThreshold, 1 << 17));
        try
        {
            return PeakOfMapped(action);
        }
        finally
        {
            Assert.Equal(1, SetMallocOption(MapThreshold, 1 << 25));
        }
    }

    private static long PeakOfMapped(Action action)
    {
        File.WriteAllText("/proc/self/clear_refs", "5");
        long before = Resident("VmRSS:");
        using (NewDisposeScope())
            action();
        return Resident("VmHWM:") - before;
    }

    private const int MapThreshold = -3;

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int SetMallocOption(int option, int value);

    private static long Resident(string field) =>
        1024
        * long.Parse(
            File.ReadLines("/proc/self/status")
                .Single(line => line.StartsWith(field, StringComparison.Ordinal))
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
            System.Globalization.CultureInfo.InvariantCulture
        );
}
