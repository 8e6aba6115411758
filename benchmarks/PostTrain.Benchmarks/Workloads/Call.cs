using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>Timed call and its least work.</summary>
/// <param name="Run">One call: values and gradients, nothing kept from one call to the next.</param>
/// <param name="Flops">Arithmetic of the matrix products; 0 where there is none.</param>
/// <param name="TrafficBytes">Bytes of each input read once and each output written once; 0 where it is not counted.</param>
/// <param name="Unit">Of the figure to read: <c>us</c>, or what <paramref name="Amount"/> over the seconds is.</param>
/// <param name="Amount">Done by a call; null where the figure is the time.</param>
internal sealed record Call(Action Run, double Flops = 0, double TrafficBytes = 0, string Unit = "us", double? Amount = null) : IDisposable
{
    /// <summary>Type of the weights.</summary>
    public ScalarType Type { get; init; } = ScalarType.Float32;

    /// <summary>Disposed with the call, in this order: models and trainers, which belong to no scope.</summary>
    public IReadOnlyList<IDisposable> Owned { get; init; } = [];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var item in Owned)
            item.Dispose();
    }
}
