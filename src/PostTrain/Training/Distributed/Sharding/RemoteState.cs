using PostTrain.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>The optimiser's state of a parameter that another rank owns: its layout, and memory only while a checkpoint needs it.</summary>
internal sealed class RemoteState((string Name, ScalarType Type, long[] Shape)[] layout, Device device) : IParameterState
{
    private (string Name, Tensor Tensor)[] tensors = [];

    /// <exception cref="InvalidOperationException">They are on another rank.</exception>
    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors =>
        tensors.Length == layout.Length
            ? tensors
            : throw new InvalidOperationException(
                "the optimiser's state of this parameter is on another rank; expected SaveCheckpoint or Resume of the trainer, on all ranks"
            );

    public long Updates { get; set; }

    internal void Allocate()
    {
        Release();
        tensors = [.. layout.Select(item => (item.Name, zeros(item.Shape, dtype: item.Type, device: device).DetachFromDisposeScope()))];
    }

    internal void Release()
    {
        foreach (var (_, tensor) in tensors)
            tensor.Dispose();
        tensors = [];
    }
}
