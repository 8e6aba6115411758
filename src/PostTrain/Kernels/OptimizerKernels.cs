using System.Numerics;
using System.Runtime.Intrinsics;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Optimiser steps and gradient norms over many tensors, each in one pass over CPU memory, in place.</summary>
/// <remarks>Float32 and float64. The same bits for any number of threads.</remarks>
/// <exception cref="NotSupportedException">A tensor is not on the CPU, of a 16-bit type, or not contiguous.</exception>
public static unsafe class OptimizerKernels
{
    private const int PartLength = 1 << 16;

    /// <summary>One AdamW step: θ ← θ(1 − ηλ) − η/(1−β₁ᵗ)·m/(√v/√(1−β₂ᵗ) + ε), m ← m + (1−β₁)(g − m), v ← β₂v + (1−β₂)g².</summary>
    /// <remarks>Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, in the order of PyTorch's <c>torch.optim.AdamW</c>.</remarks>
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
        foreach (var (type, chosen) in ByType(parameters, nameof(parameters)))
        {
            using var theta = new MemoryList(parameters, chosen, type, nameof(parameters));
            using var gradient = new MemoryList(gradients, chosen, type, null);
            using var mean = new MemoryList(means, chosen, type, nameof(means));
            using var square = new MemoryList(squares, chosen, type, nameof(squares));
            if (type == ScalarType.Float32)
                AdamW<float>(theta, gradient, mean, square, step, options);
            else
                AdamW<double>(theta, gradient, mean, square, step, options);
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
            sum += type == ScalarType.Float32 ? SquaredNorm<float>(memory) : SquaredNorm<double>(memory);
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
                Scale(memory, (float)factor);
            else
                Scale(memory, factor);
        }
        return norm;
    }

    private static void AdamW<T>(
        MemoryList parameters,
        MemoryList gradients,
        MemoryList means,
        MemoryList squares,
        long step,
        AdamWOptions options
    )
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        double correction = 1 - Math.Pow(options.Beta1, step),
            squareCorrection = Math.Sqrt(1 - Math.Pow(options.Beta2, step));
        T keep = T.CreateTruncating(1 - options.LearningRate * options.WeightDecay),
            rate = T.CreateTruncating(options.LearningRate / correction);
        T mixing = T.CreateTruncating(1 - options.Beta1),
            decay = T.CreateTruncating(options.Beta2),
            adding = T.CreateTruncating(1 - options.Beta2);
        T root = T.CreateTruncating(squareCorrection),
            epsilon = T.CreateTruncating(options.Epsilon);
        parameters.Run(
            PartLength,
            (index, start, length) =>
            {
                T* p = parameters.At<T>(index) + start,
                    g = gradients.At<T>(index) + start,
                    m = means.At<T>(index) + start,
                    v = squares.At<T>(index) + start;
                int i = 0;
                for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
                {
                    var gradient = Vector256.Load(g + i);
                    var mean = Vector256.Load(m + i);
                    mean += (gradient - mean) * mixing;
                    var square = Vector256.Load(v + i) * decay + gradient * gradient * adding;
                    mean.Store(m + i);
                    square.Store(v + i);
                    var denominator = Vector256.Sqrt(square) / Vector256.Create(root) + Vector256.Create(epsilon);
                    (Vector256.Load(p + i) * keep - mean / denominator * rate).Store(p + i);
                }
                for (; i < length; i++)
                {
                    m[i] += (g[i] - m[i]) * mixing;
                    v[i] = v[i] * decay + g[i] * g[i] * adding;
                    p[i] = p[i] * keep - m[i] / (T.Sqrt(v[i]) / root + epsilon) * rate;
                }
            }
        );
    }

    private static double SquaredNorm<T>(MemoryList gradients)
        where T : unmanaged
    {
        // A sum a part, added up in the parts' order.
        double[] parts = new double[gradients.Parts(PartLength)];
        gradients.Run(
            PartLength,
            (index, start, length, part) =>
            {
                T* from = gradients.At<T>(index) + start;
                var (even, odd) = (Vector256<double>.Zero, Vector256<double>.Zero);
                for (long i = 0; i < length; i += 2 * Lanes.Count)
                {
                    var x = Lanes.Load(from + i, length - i);
                    even += x * x;
                    if (i + Lanes.Count >= length)
                        continue;
                    var y = Lanes.Load(from + i + Lanes.Count, length - i - Lanes.Count);
                    odd += y * y;
                }
                parts[part] = Vector256.Sum(even + odd);
            }
        );
        double sum = 0;
        foreach (double part in parts)
            sum += part;
        return sum;
    }

    private static void Scale<T>(MemoryList values, T factor)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        values.Run(
            PartLength,
            (index, start, length) =>
            {
                T* from = values.At<T>(index) + start;
                int i = 0;
                for (; i <= length - Vector256<T>.Count; i += Vector256<T>.Count)
                    (Vector256.Load(from + i) * factor).Store(from + i);
                for (; i < length; i++)
                    from[i] *= factor;
            }
        );

    // Indices of the tensors of each type.
    private static IEnumerable<(ScalarType Type, int[] Chosen)> ByType(IReadOnlyList<Tensor> tensors, string name)
    {
        var (single, wide) = (new List<int>(tensors.Count), new List<int>());
        for (int i = 0; i < tensors.Count; i++)
            (KernelGuard.Number(tensors[i], $"{name}[{i}]") == ScalarType.Float32 ? single : wide).Add(i);
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
        for (int i = 0; i < tensors.Count; i++)
            KernelGuard.SameShape(tensors[i], $"{name}[{i}]", parameters[i], $"parameters[{i}]");
    }
}
