using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>The norm of all gradients together, and their scaling to a limit.</summary>
internal static class GradientClipping
{
    /// <summary>Scales the gradients by min(1, limit/(norm + 1e-6)).</summary>
    /// <returns>The norm before; 0 without a gradient.</returns>
    internal static double Clip(IReadOnlyList<Parameter> parameters, double limit)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var gradients = new List<Tensor>(parameters.Count);
        foreach (var parameter in parameters)
        {
            if (parameter.grad is { } gradient)
                gradients.Add(gradient);
        }
        if (gradients.Count == 0)
            return 0;
        var type = gradients[0].dtype;
        if (!gradients.TrueForAll(gradient => Fused.Takes(gradient, gradients[0]) && gradient.is_contiguous()))
            return nn.utils.clip_grad_norm_(parameters, limit);
        int[] all = [.. Enumerable.Range(0, gradients.Count)];
        using var memory = new MemoryList(gradients, all, type, nameof(gradients));
        var norm = Math.Sqrt(
            type == ScalarType.Float32 ? GradientPass.SquaredNorm<float>(memory) : GradientPass.SquaredNorm<double>(memory)
        );
        var factor = limit / (norm + 1e-6);
        if (factor >= 1)
            return norm;
        if (type == ScalarType.Float32)
            GradientPass.Scale(memory, (float)factor);
        else
            GradientPass.Scale(memory, factor);
        return norm;
    }
}
