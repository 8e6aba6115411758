using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Checks of values that only this folder's functions take.</summary>
internal static class RewardGuard
{
    /// <summary>Every value lies in 0..1; a NaN passes and stays visible in the result.</summary>
    internal static void Probabilities(Tensor tensor, string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if ((tensor < 0).logical_or(tensor > 1).any().ToBoolean())
            throw new ArgumentOutOfRangeException(
                name,
                $"{name} has values from {tensor.min().ToDouble():R} to {tensor.max().ToDouble():R}, expected probabilities between 0 and 1"
            );
    }
}
