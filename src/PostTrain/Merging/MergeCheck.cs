using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>Checks that the merging functions share.</summary>
internal static class MergeCheck
{
    /// <summary>At least so many floating-point tensors of one shape and type; those of a base too, where one is given.</summary>
    internal static void Tensors(IReadOnlyList<Tensor> tensors, int least, Tensor? origin = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        if (tensors.Count < least)
            throw new ArgumentException($"tensors has {tensors.Count} entries, expected at least {least}", nameof(tensors));
        var first = origin ?? tensors[0];
        foreach (var tensor in origin is null ? tensors : [origin, .. tensors])
        {
            Guard.Floating(tensor, nameof(tensors));
            Guard.SameShape(tensor, nameof(tensors), first, "the others");
            if (tensor.dtype != first.dtype)
                throw new ArgumentException($"tensors has an entry of type {tensor.dtype}, expected {first.dtype}", nameof(tensors));
        }
    }

    /// <summary>One finite number a tensor.</summary>
    internal static void Weights(IReadOnlyList<double> weights, int count)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (weights.Count != count)
            throw new ArgumentException($"weights has {weights.Count} entries, expected {count}, one a tensor", nameof(weights));
        foreach (var weight in weights)
            Finite(weight, nameof(weights));
    }

    internal static void Finite(double value, string name)
    {
        if (!double.IsFinite(value))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be finite");
    }

    /// <summary>[N] weights as [N,1,...] for tensors of a rank.</summary>
    internal static Tensor Column(IReadOnlyList<double> weights, Tensor like) =>
        tensor(weights.ToArray(), dtype: like.dtype, device: like.device)
            .reshape([weights.Count, .. Enumerable.Repeat(1L, (int)like.dim())]);
}
