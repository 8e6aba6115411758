using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Type, place, shape and address of a tensor, asked of TorchSharp's native library directly: a few nanoseconds each, where the
/// properties of <see cref="Tensor"/> take ten to sixty. A kernel over small tensors asks dozens of them.</summary>
/// <remarks>Each native function reads a field and returns, so that it needs no transition of the garbage collector.</remarks>
internal static unsafe class TensorFacts
{
    private static readonly nint Library = NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null);

    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, nint> DataOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        nint>)Export("THSTensor_data");

    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, sbyte> TypeOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        sbyte>)Export("THSTensor_type");

    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, int> DeviceOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        int>)Export("THSTensor_device_type");

    // A C++ bool: one byte.
    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, byte> ContiguityOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        byte>)Export("THSTensor_is_contiguous");

    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, long> RankOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        long>)Export("THSTensor_ndimension");

    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, long> CountOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        long>)Export("THSTensor_numel");

    private static readonly delegate* unmanaged[SuppressGCTransition]<nint, long, long> SizeOf = (delegate* unmanaged[SuppressGCTransition]<
        nint,
        long,
        long>)Export("THSTensor_size");

    /// <summary>The type of the numbers.</summary>
    internal static ScalarType Type(Tensor tensor)
    {
        var type = (ScalarType)TypeOf(tensor.Handle);
        GC.KeepAlive(tensor);
        return type;
    }

    /// <summary>True if the numbers are in CPU memory.</summary>
    internal static bool IsOnCpu(Tensor tensor)
    {
        var device = (DeviceType)DeviceOf(tensor.Handle);
        GC.KeepAlive(tensor);
        return device == DeviceType.CPU;
    }

    /// <summary>True if the numbers follow one another in row-major order.</summary>
    internal static bool IsContiguous(Tensor tensor)
    {
        byte contiguity = ContiguityOf(tensor.Handle);
        GC.KeepAlive(tensor);
        return contiguity != 0;
    }

    /// <summary>The number of dimensions.</summary>
    internal static long Rank(Tensor tensor)
    {
        long rank = RankOf(tensor.Handle);
        GC.KeepAlive(tensor);
        return rank;
    }

    /// <summary>The number of elements.</summary>
    internal static long Count(Tensor tensor)
    {
        long count = CountOf(tensor.Handle);
        GC.KeepAlive(tensor);
        return count;
    }

    /// <summary>The size of a dimension, which must be there.</summary>
    internal static long Size(Tensor tensor, int dimension)
    {
        long size = SizeOf(tensor.Handle, dimension);
        GC.KeepAlive(tensor);
        return size;
    }

    /// <summary>The address of the first element, on any device; the caller keeps the tensor alive while it is used.</summary>
    internal static nint Address(Tensor tensor)
    {
        nint address = DataOf(tensor.Handle);
        GC.KeepAlive(tensor);
        return address;
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);
}
