using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Memory for dequantised rows that the layers of a model use one after the other. Threads that meet get a buffer each.</summary>
internal sealed class DequantizationBuffer
{
    private Tensor? kept;

    /// <summary>Runs with a contiguous [rows, columns] that holds anything.</summary>
    public void With(long rows, long columns, ScalarType type, Device device, Action<Tensor> use)
    {
        var flat = Interlocked.Exchange(ref kept, null);
        if (flat is not null && (flat.dtype != type || !Devices.Same(flat.device, device) || flat.NumberOfElements < rows * columns))
        {
            flat.Dispose();
            flat = null;
        }

        flat ??= empty([rows * columns], dtype: type, device: device).DetachFromDisposeScope();
        try
        {
            using var view = flat.narrow(0, 0, rows * columns).view(rows, columns);
            use(view);
        }
        finally
        {
            Interlocked.Exchange(ref kept, flat)?.Dispose();
        }
    }

    /// <summary>Frees the memory; the next call takes new.</summary>
    public void Release() => Interlocked.Exchange(ref kept, null)?.Dispose();
}
