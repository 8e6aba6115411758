using System.Globalization;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>A product of two square matrices in float32: what the BLAS of libtorch reaches.</summary>
internal sealed class SquareProduct : IWorkload
{
    public string Id => "R.sgemm";

    public IReadOnlyList<string> Sizes { get; } = ["256", "1024", "2048"];

    public Call Setup(string size, Inputs inputs)
    {
        var side = int.Parse(size, CultureInfo.InvariantCulture);
        var (left, right) = (inputs.Normal([side, side]), inputs.Normal([side, side]));
        var flops = 2.0 * side * side * side;
        return new(() => left.mm(right).Dispose(), flops, Unit: "GFLOP/s", Amount: flops * 1e-9);
    }
}
