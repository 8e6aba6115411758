using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Numbers of a tensor in CPU memory, in row-major order and of type <typeparamref name="T"/>; a copy where the tensor is laid
/// out otherwise.</summary>
/// <remarks>The pointer is valid until <see cref="Dispose"/>, which also keeps the tensor alive until then.</remarks>
internal readonly unsafe ref struct NumberSource<T> : IDisposable
    where T : unmanaged
{
    private readonly Tensor? owner;
    private readonly bool isCopy;

    /// <param name="tensor">Null for a source that is not there, whose pointer is null.</param>
    internal NumberSource(Tensor? tensor)
    {
        if (tensor is null)
            return;
        owner = tensor;
        if (TensorFacts.Type(tensor) != TensorMemory.TypeOf<T>() || !TensorFacts.IsContiguous(tensor))
        {
            (owner, isCopy) = (TensorMemory.Copy(tensor, TensorMemory.TypeOf<T>()), true);
        }
        Pointer = TensorMemory.Address<T>(owner);
    }

    /// <summary>The first number.</summary>
    internal T* Pointer { get; }

    public void Dispose()
    {
        if (isCopy)
            owner!.Dispose();
        GC.KeepAlive(owner);
    }
}

/// <summary>Memory of tensors.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>The scalar type of a C# type.</summary>
    internal static ScalarType TypeOf<T>() =>
        typeof(T) == typeof(float) ? ScalarType.Float32
        : typeof(T) == typeof(double) ? ScalarType.Float64
        : typeof(T) == typeof(long) ? ScalarType.Int64
        : typeof(T) == typeof(bool) ? ScalarType.Bool
        : throw new NotSupportedException($"{typeof(T)} has no kernel, expected float, double, long or bool");

    /// <summary>Address of the first element of a contiguous tensor in CPU memory.</summary>
    internal static T* Address<T>(Tensor tensor)
        where T : unmanaged
    {
        if (!TensorFacts.IsOnCpu(tensor))
            throw new NotSupportedException($"the tensor is on {tensor.device}, expected the CPU: kernels read its memory");
        return (T*)TensorFacts.Address(tensor);
    }

    /// <summary>A contiguous copy of another type, outside all dispose scopes.</summary>
    internal static Tensor Copy(Tensor tensor, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var values = type == ScalarType.Bool ? tensor.detach() != 0 : tensor.detach().to_type(type);
        return values.contiguous().DetachFromDisposeScope();
    }

    /// <summary>A fresh contiguous tensor of the shape of another one, not initialised, in the caller's scope.</summary>
    internal static Tensor Fresh(Tensor like) => Fresh(like, TensorFacts.Type(like));

    /// <summary>Converts to another type.</summary>
    internal static Tensor Fresh(Tensor like, ScalarType type) =>
        TensorFacts.Rank(like) switch
        {
            // Without the array that shape makes.
            1 => empty(TensorFacts.Size(like, 0), dtype: type),
            2 => empty(TensorFacts.Size(like, 0), TensorFacts.Size(like, 1), dtype: type),
            _ => empty(like.shape, dtype: type),
        };
}
