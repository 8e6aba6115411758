using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Recipes;

/// <summary>Mean of a model's trained weights at several moments.</summary>
internal sealed class WeightAverage : IDisposable
{
    private readonly (Tensor Parameter, Tensor Sum)[] weights;
    private int count;

    internal WeightAverage(nn.Module model)
    {
        using var mode = no_grad();
        weights =
        [
            .. model
                .parameters()
                .Where(parameter => parameter.requires_grad)
                .Select(parameter =>
                    ((Tensor)parameter, zeros_like(parameter, dtype: Precision.AtLeastSingle(parameter.dtype)).DetachFromDisposeScope())
                ),
        ];
    }

    /// <summary>Adds the weights of this moment.</summary>
    internal void Add()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (parameter, sum) in weights)
            sum.add_(parameter.detach());
        count++;
    }

    /// <summary>Puts the mean into the model.</summary>
    internal void Apply()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (parameter, sum) in weights)
            parameter.copy_(sum / count);
    }

    public void Dispose()
    {
        foreach (var (_, sum) in weights)
            sum.Dispose();
    }
}
