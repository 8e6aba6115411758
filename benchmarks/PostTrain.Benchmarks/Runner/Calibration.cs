using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Runner;

/// <summary>A fixed matrix product that says how fast the machine is at this moment.</summary>
/// <remarks>The speed of a core of a shared machine changes by a factor of two within seconds; a sample counts where the product ran near
/// its best before and after it.</remarks>
internal sealed class Calibration : IDisposable
{
    private const double QuietShare = 0.85;
    private readonly Tensor left,
        right;
    private readonly double flops;

    /// <param name="threads">1: 128x128x128; more: 256x256x256.</param>
    public Calibration(int threads)
    {
        long side = threads == 1 ? 128 : 256;
        (left, right, flops) = (ones(side, side), ones(side, side), 2.0 * side * side * side);
    }

    /// <summary>The best speed so far, in GFLOP/s.</summary>
    public double Best { get; private set; }

    /// <summary>The speed now, in GFLOP/s: the least time of six products.</summary>
    public double Measure()
    {
        using var scope = NewDisposeScope();
        long least = long.MaxValue;
        for (int i = 0; i < 6; i++)
        {
            long start = Stopwatch.GetTimestamp();
            left.mm(right);
            least = Math.Min(least, Stopwatch.GetTimestamp() - start);
        }
        double speed = flops / (least / (double)Stopwatch.Frequency) * 1e-9;
        Best = Math.Max(Best, speed);
        return speed;
    }

    /// <summary>True if a speed is near the best one.</summary>
    public bool IsQuiet(double speed) => speed >= QuietShare * Best;

    /// <inheritdoc/>
    public void Dispose()
    {
        left.Dispose();
        right.Dispose();
    }
}
