using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Optimiser steps and gradient norms over many tensors, each in one pass over CPU memory, in place.</summary>
/// <remarks>Float32 and float64. The same bits for any number of threads.</remarks>
/// <exception cref="NotSupportedException">A tensor is not on the CPU, of a 16-bit type, or not contiguous.</exception>
public static class OptimizerKernels
{
    /// <summary>One AdamW step: θ ← θ(1 − ηλ) − η/(1−β₁ᵗ)·m/(√v/√(1−β₂ᵗ) + ε), m ← m + (1−β₁)(g − m), v ← β₂v + (1−β₂)g².</summary>
    /// <remarks>Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, in the order of PyTorch's <c>torch.optim.AdamW</c>, but
    /// for √v, which is multiplied by 1/√(1−β₂ᵗ) instead of divided.</remarks>
    /// <param name="parameters">θ; changed.</param>
    /// <param name="gradients">g, one a parameter, of its shape.</param>
    /// <param name="means">m, one a parameter, of its shape and type; changed. Zeros before the first step.</param>
    /// <param name="squares">v, like the means; changed.</param>
    /// <param name="step">t, from 1.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">The lists do not have one length, or shapes or types do not agree.</exception>
    public static void AdamW(
        IReadOnlyList<Tensor> parameters,
        IReadOnlyList<Tensor> gradients,
        IReadOnlyList<Tensor> means,
        IReadOnlyList<Tensor> squares,
        long step,
        AdamWOptions? options = null
    )
    {
        ArgumentNullException.ThrowIfNull(parameters);
        options ??= new AdamWOptions();
        options.Validate();
        Guard.AtLeast(step, 1, nameof(step));
        CheckLike(gradients, nameof(gradients), parameters);
        CheckLike(means, nameof(means), parameters);
        CheckLike(squares, nameof(squares), parameters);
        var constantsOfStep = AdamConstants.Of(
            options.LearningRate,
            options.Beta1,
            options.Beta2,
            options.Epsilon,
            options.WeightDecay,
            step
        );
        foreach (var (type, chosen) in ByType(parameters, nameof(parameters)))
        {
            using var theta = new MemoryList(parameters, chosen, type, nameof(parameters));
            using var gradient = new MemoryList(gradients, chosen, type, null);
            using var mean = new MemoryList(means, chosen, type, nameof(means));
            using var square = new MemoryList(squares, chosen, type, nameof(squares));
            var constants = new AdamConstants[chosen.Length];
            Array.Fill(constants, constantsOfStep);
            if (type == ScalarType.Float32)
                AdamPass.Run<float>(theta, gradient, mean, square, constants);
            else
                AdamPass.Run<double>(theta, gradient, mean, square, constants);
        }
    }

    /// <summary>√Σ g² over all elements of all tensors, summed in float64; 0 for none.</summary>
    /// <param name="gradients">Any shapes.</param>
    public static double GradientNorm(IReadOnlyList<Tensor> gradients)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        double sum = 0;
        foreach (var (type, chosen) in ByType(gradients, nameof(gradients)))
        {
            using var memory = new MemoryList(gradients, chosen, type, null);
            sum += type == ScalarType.Float32 ? GradientPass.SquaredNorm<float>(memory) : GradientPass.SquaredNorm<double>(memory);
        }
        return Math.Sqrt(sum);
    }

    /// <summary>Scales all gradients by min(1, limit/(norm + 1e-6)), as PyTorch's <c>clip_grad_norm_</c>.</summary>
    /// <param name="gradients">Any shapes; changed.</param>
    /// <param name="limit">The largest norm, at least 0.</param>
    /// <returns>The norm before.</returns>
    public static double ClipGradients(IReadOnlyList<Tensor> gradients, double limit)
    {
        if (!(limit >= 0))
            throw new ArgumentOutOfRangeException(nameof(limit), limit, "limit must be at least 0");
        double norm = GradientNorm(gradients),
            factor = limit / (norm + 1e-6);
        if (factor >= 1)
            return norm;
        foreach (var (type, chosen) in ByType(gradients, nameof(gradients)))
        {
            using var memory = new MemoryList(gradients, chosen, type, nameof(gradients));
            if (type == ScalarType.Float32)
                GradientPass.Scale(memory, (float)factor);
            else
                GradientPass.Scale(memory, factor);
        }
        return norm;
    }

    // Indices of the tensors of each type.
    private static IEnumerable<(ScalarType Type, int[] Chosen)> ByType(IReadOnlyList<Tensor> tensors, string name)
    {
        var (single, wide) = (new List<int>(tensors.Count), new List<int>());
        for (int i = 0; i < tensors.Count; i++)
        {
            var type = tensors[i] is { } tensor ? TensorFacts.Type(tensor) : default;
            if (type is not (ScalarType.Float32 or ScalarType.Float64))
                KernelGuard.Number(tensors[i], $"{name}[{i}]");
            (type == ScalarType.Float32 ? single : wide).Add(i);
        }
        if (single.Count > 0)
            yield return (ScalarType.Float32, [.. single]);
        if (wide.Count > 0)
            yield return (ScalarType.Float64, [.. wide]);
    }

    private static void CheckLike(IReadOnlyList<Tensor> tensors, string name, IReadOnlyList<Tensor> parameters)
    {
        ArgumentNullException.ThrowIfNull(tensors, name);
        if (tensors.Count != parameters.Count)
            throw new ArgumentException($"{name} holds {tensors.Count} tensors, expected {parameters.Count}, one a parameter", name);
        KernelGuard.SameShapes(tensors, name, parameters, nameof(parameters));
    }
}
