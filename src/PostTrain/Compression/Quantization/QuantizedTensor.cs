using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>A tensor in codes of few bits, with the scales that restore its numbers. Derive from it for your own format.</summary>
/// <param name="Shape">The tensor's shape; of a weight [out,in].</param>
/// <param name="Type">Type of the numbers that it stands for.</param>
/// <remarks>It owns its parts and disposes them; they belong to no dispose scope. Nothing of it is trained.</remarks>
public abstract record QuantizedTensor(IReadOnlyList<long> Shape, ScalarType Type) : IDisposable
{
    /// <summary>The stored tensors: codes, scales, zero points, with distinct names.</summary>
    public abstract IReadOnlyList<(string Name, Tensor Tensor)> Parts { get; }

    /// <summary>Bytes of all parts.</summary>
    public long Bytes => Parts.Sum(part => part.Tensor.NumberOfElements * part.Tensor.ElementSize);

    /// <summary>Elements of the tensor that it stands for.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Rows: the first dimension.</summary>
    public long Rows => Shape.Count == 0 ? 1 : Shape[0];

    /// <summary>Number of elements of a row.</summary>
    public long RowLength => Rows == 0 ? 0 : Count / Rows;

    /// <summary>Bits that an element takes, scales included.</summary>
    public double BitsPerElement => 8.0 * Bytes / Count;

    /// <summary>The device of the parts.</summary>
    public Device Device => Parts[0].Tensor.device;

    /// <summary>The numbers, fresh, in <see cref="Shape"/> and <see cref="Type"/>.</summary>
    public Tensor Dequantize()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return DequantizeRows(0, Rows).reshape([.. Shape]).to_type(Type).MoveToOuterDisposeScope();
    }

    /// <summary>The numbers of some rows, fresh: [count, <see cref="RowLength"/>] in float32 at least.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">Their number; <paramref name="first"/> + <paramref name="count"/> is at most <see cref="Rows"/>.</param>
    public abstract Tensor DequantizeRows(long first, long count);

    /// <summary>Writes the numbers of some rows into existing memory.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="destination">[count, <see cref="RowLength"/>], contiguous, on <see cref="Device"/>.</param>
    public virtual void DequantizeRows(long first, Tensor destination)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        destination.copy_(DequantizeRows(first, destination.size(0)));
    }

    /// <summary>Returns a copy with its parts on another device; those of the original are disposed by <see cref="Dispose()"/>.</summary>
    public abstract QuantizedTensor MoveTo(Device device);

    /// <summary>Disposes the parts.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Disposes the parts.</summary>
    /// <param name="disposing">True if called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        foreach (var (_, tensor) in Parts)
            tensor.Dispose();
    }

    /// <summary>A tensor that belongs to no dispose scope, for a part.</summary>
    protected static Tensor Kept(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var mode = no_grad();
        return tensor.detach().contiguous().DetachFromDisposeScope();
    }

    /// <summary>A copy of a part on a device, which belongs to no dispose scope.</summary>
    protected static Tensor Moved(Tensor part, Device device)
    {
        ArgumentNullException.ThrowIfNull(part);
        using var mode = no_grad();
        return part.to(device, copy: true).DetachFromDisposeScope();
    }

    /// <summary>Checks that rows exist.</summary>
    private protected void CheckRows(long first, long count)
    {
        if (first < 0 || count < 0 || first + count > Rows)
            throw new ArgumentOutOfRangeException(nameof(first), first, $"rows {first} to {first + count} are asked for, there are {Rows}");
    }

    /// <summary>Checks that the input can be quantised: real numbers, at least one, all finite.</summary>
    internal static void CheckInput(Tensor tensor, string name)
    {
        Guard.Floating(tensor, name);
        if (tensor.dim() == 0 || tensor.numel() == 0)
            throw new ArgumentException($"{name} has shape {Guard.Shape(tensor)}, expected at least one element and one dimension", name);
        using var scope = NewDisposeScope();
        if (!tensor.isfinite().all().ToBoolean())
            throw new ArgumentException($"{name} holds NaN or an infinity, expected finite numbers", name);
    }
}
