using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Recipes;

/// <summary>Copy of the trained parameters of a model, to go back to.</summary>
internal sealed class TrainedWeights : IDisposable
{
    private readonly (Tensor Parameter, Tensor Kept)[] weights;

    internal TrainedWeights(nn.Module model)
    {
        using var mode = no_grad();
        weights =
        [
            .. model
                .parameters()
                .Where(parameter => parameter.requires_grad)
                .Select(parameter => ((Tensor)parameter, parameter.detach().clone().DetachFromDisposeScope())),
        ];
    }

    /// <summary>Puts the copy back into the model.</summary>
    internal void Restore()
    {
        using var mode = no_grad();
        foreach (var (parameter, kept) in weights)
            parameter.copy_(kept);
    }

    public void Dispose()
    {
        foreach (var (_, kept) in weights)
            kept.Dispose();
    }
}
