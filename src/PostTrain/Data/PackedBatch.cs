using static TorchSharp.torch;

namespace PostTrain.Data;

/// <summary>Several sequences a row, laid end to end. A position belongs to one segment, and may see only that.</summary>
/// <param name="Inputs">Token ids, [B,T], padded on the right.</param>
/// <param name="Positions">[B,T]; the position within its segment: each segment begins at 0. 0 at padding.</param>
/// <param name="Segments">[B,T]; 1, 2, ... in the order of the row's sequences; 0 at padding. What a model takes as its attention
/// mask.</param>
/// <param name="Targets">[B,T]; the token that follows each input in its own sequence.</param>
/// <param name="LossMask">[B,T]; 1 where the target is to be learnt, float32.</param>
public sealed record PackedBatch(Tensor Inputs, Tensor Positions, Tensor Segments, Tensor Targets, Tensor LossMask) : IDisposable
{
    /// <summary>Gives the tensors back.</summary>
    public void Dispose()
    {
        Inputs.Dispose();
        Positions.Dispose();
        Segments.Dispose();
        Targets.Dispose();
        LossMask.Dispose();
    }
}
