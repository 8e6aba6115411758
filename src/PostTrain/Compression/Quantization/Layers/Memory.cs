using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Loops over CPU memory that write numbers where they are wanted, on as many threads as libtorch uses.</summary>
internal static unsafe class Memory
{
    private const long ParallelSize = 1 << 16;

    /// <summary>Returns true if a loop can write to the tensor.</summary>
    public static bool Fits(Tensor tensor, Device parts) =>
        tensor is { dtype: ScalarType.Float32, device_type: DeviceType.CPU } && tensor.is_contiguous() && parts.type == DeviceType.CPU;

    /// <summary>Address of a contiguous tensor's first element; the tensor must outlive its use.</summary>
    public static nint Address(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.reshape(-1).narrow(0, 0, 1).bytes));
    }

    /// <summary>Calls <paramref name="part"/> with 0..count−1.</summary>
    public static void For(long count, long size, Action<long> part)
    {
        var threads = size < ParallelSize || count < 2 ? 1 : get_num_threads();
        if (threads > 1)
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, part);
            return;
        }

        for (long i = 0; i < count; i++)
            part(i);
    }
}
