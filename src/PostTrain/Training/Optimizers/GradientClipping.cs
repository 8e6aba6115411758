using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Optimizers;

/// <summary>The norm of all gradients together, and their scaling to a limit.</summary>
internal static class GradientClipping
{
    /// <summary>Scales the gradients by min(1, limit/(norm + 1e-6)).</summary>
    /// <param name="parameters">Parameters with their gradients.</param>
    /// <param name="limit">The limit; positive infinity leaves the gradients as they are.</param>
    /// <param name="whole">The norm of all gradients from that of these, where others are elsewhere; null: these are all.</param>
    /// <returns>The norm before; 0 without a gradient.</returns>
    internal static double Clip(IReadOnlyList<Parameter> parameters, double limit, Func<double, double>? whole = null)
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
            return whole?.Invoke(0) ?? 0;
        var type = gradients[0].dtype;
        if (!gradients.TrueForAll(gradient => Fused.Takes(gradient, gradients[0]) && gradient.is_contiguous()))
            return whole is null ? nn.utils.clip_grad_norm_(parameters, limit) : Clip(gradients, limit, whole);
        int[] all = [.. Enumerable.Range(0, gradients.Count)];
        using var memory = new MemoryList(gradients, all, type, nameof(gradients));
        var norm = Math.Sqrt(
            type == ScalarType.Float32 ? GradientPass.SquaredNorm<float>(memory) : GradientPass.SquaredNorm<double>(memory)
        );
        norm = whole?.Invoke(norm) ?? norm;
        var factor = limit / (norm + 1e-6);
        if (factor >= 1)
            return norm;
        if (type == ScalarType.Float32)
            GradientPass.Scale(memory, (float)factor);
        else
            GradientPass.Scale(memory, factor);
        return norm;
    }

    // Of any type and layout, with the norm of gradients elsewhere.
    private static double Clip(List<Tensor> gradients, double limit, Func<double, double> whole)
    {
        double norm = whole(Math.Sqrt(gradients.Sum(gradient => gradient.to_type(ScalarType.Float64).square().sum().ToDouble())));
        var factor = limit / (norm + 1e-6);
        if (factor < 1)
            foreach (var gradient in gradients)
                gradient.mul_(factor);
        return norm;
    }
}
