using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Laws;

/// <summary>A loss and a batch to test it on.</summary>
/// <param name="Loss">Maps a batch to a scalar. It passes <see cref="LossBatch.Denominator"/> to its aggregation.</param>
/// <param name="Batch">The inputs. A batch with rows of different lengths and one row without a counted position tests most.</param>
/// <param name="Denominator">Maps a whole batch's mask to the loss's divisor, for instance <c>aggregation.Denominator</c>; null if the loss
/// takes none. Required by the laws of micro-batches, packing and dropping.</param>
public sealed record LossSubject(Func<LossBatch, Tensor> Loss, LossBatch Batch, Func<Tensor, double>? Denominator = null)
{
    internal void Check()
    {
        Guard.Rank(Batch.Mask, nameof(Batch.Mask), 2, "[B,T]");
        foreach (var (name, item) in Batch.Tensors)
        {
            int leading = item.Axes switch
            {
                LossAxes.Token => 2,
                LossAxes.Row => 1,
                _ => 0,
            };
            if (item.Value.dim() < leading || !item.Value.shape.AsSpan()[..leading].SequenceEqual(Batch.Mask.shape.AsSpan()[..leading]))
                throw new ArgumentException(
                    $"{name} has shape {Guard.Shape(item.Value)}, "
                        + $"expected {(leading == 2 ? "[B,T,...]" : "[B,...]")} with the mask's {Guard.Shape(Batch.Mask)}",
                    name
                );
            if (item.Differentiable)
                Guard.Floating(item.Value, name);
        }
    }
}
