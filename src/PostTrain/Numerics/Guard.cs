using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Argument checks; each message names the argument, the value given and the value expected.</summary>
internal static class Guard
{
    /// <summary>The lowest temperature for which gradients are computed.</summary>
    internal const double LeastTemperature = 1e-6;

    /// <summary>Checks that both tensors have the same shape.</summary>
    internal static void SameShape(Tensor tensor, string name, Tensor expected, string expectedName)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        ArgumentNullException.ThrowIfNull(expected, expectedName);
        if (!tensor.shape.AsSpan().SequenceEqual(expected.shape))
            throw new ArgumentException($"{name} has shape {Shape(tensor)}, expected {Shape(expected)} as {expectedName}", name);
    }

    /// <summary>Checks that the tensor has this many dimensions; <paramref name="expected"/> describes them.</summary>
    internal static void Rank(Tensor tensor, string name, int rank, string expected)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (TensorFacts.Rank(tensor) != rank)
            throw new ArgumentException($"{name} has shape {Shape(tensor)}, expected {expected}", name);
    }

    /// <summary>Checks that the tensor is floating point.</summary>
    internal static void Floating(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (!tensor.is_floating_point())
            throw new ArgumentException($"{name} has type {tensor.dtype}, expected floating point", name);
    }

    /// <summary>Checks that the tensor holds token ids.</summary>
    internal static void Ids(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor.dtype != ScalarType.Int64)
            throw new ArgumentException($"{name} has type {tensor.dtype}, expected Int64 token ids", name);
    }

    internal static void Positive(double value, string name)
    {
        if (!(value > 0) || double.IsInfinity(value))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number above 0");
    }

    /// <summary>Checks a temperature of a loss. It divides logits and gradients, which must stay in the range of float32.</summary>
    internal static void Temperature(double value, string name)
    {
        if (!(value is >= LeastTemperature and <= 1 / LeastTemperature))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be from 1e-6 to 1e6");
    }

    internal static void NotNegative(double value, string name)
    {
        if (!(value >= 0) || double.IsInfinity(value))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number of at least 0");
    }

    internal static void AtLeast(long value, long least, string name)
    {
        if (value < least)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least {least}");
    }

    internal static void Fraction(double value, string name)
    {
        if (!(value is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be between 0 and 1");
    }

    /// <summary>Checks the result of a user's function: not null, floating point, and of the expected shape.</summary>
    internal static Tensor Result(Tensor? result, string function, ReadOnlySpan<long> expected, string expectedName)
    {
        if (result is null || result.IsInvalid)
            throw new InvalidOperationException(
                $"{function} returned no tensor, expected one of shape [{string.Join(", ", expected.ToArray())}]"
            );
        if (!result.shape.AsSpan().SequenceEqual(expected) || !result.is_floating_point())
            throw new InvalidOperationException(
                $"{function} returned {result.dtype} of shape {Shape(result)}, "
                    + $"expected floating point of shape [{string.Join(", ", expected.ToArray())}] as {expectedName}"
            );
        return result;
    }

    internal static string Shape(Tensor tensor) => $"[{string.Join(", ", tensor.shape)}]";

    /// <summary>Checks that every value is in [0, 1]; a NaN passes and remains visible in the result.</summary>
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
