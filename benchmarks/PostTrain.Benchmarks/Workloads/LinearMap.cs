using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>x·Wᵀ with a given gradient of the result, NxD; the rank in the size belongs to the adapters that it is compared with.</summary>
internal sealed class LinearMap : IWorkload
{
    public string Id => "K.linear";

    public IReadOnlyList<string> Sizes => ["64x64r8", "256x256r8", "2048x256r8", "1024x768r8"];

    public Call Setup(string size, Inputs inputs)
    {
        var d = Inputs.Dimensions(size);
        var (x, weight, gradient) = (
            inputs.Leaf([d[0], d[1]]),
            inputs.Leaf([d[1], d[1]], 1 / Math.Sqrt(d[1])),
            inputs.Normal([d[0], d[1]])
        );
        return new(
            Gradients.Given(() => nn.functional.linear(x, weight), gradient, x, weight),
            6.0 * d[0] * d[1] * d[1],
            4.0 * (4 * d[0] * d[1] + 2 * d[1] * d[1])
        );
    }
}
