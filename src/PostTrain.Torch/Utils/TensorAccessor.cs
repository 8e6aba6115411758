using System.Collections;
using static TorchSharp.torch;

namespace TorchSharp.Utils;

/// <summary>The elements of a tensor in the memory of the CPU, in row-major order whatever the strides are.</summary>
public sealed unsafe class TensorAccessor<T> : IEnumerable<T>, IDisposable where T : unmanaged
{
    private readonly Tensor tensor;
    private readonly T* start;
    private readonly long[]? shape;
    private readonly long[]? strides;

    internal TensorAccessor(Tensor tensor)
    {
        this.tensor = tensor;
        start = (T*)tensor.DataPointer();
        Count = tensor.NumberOfElements;
        if (tensor.is_contiguous()) return;
        shape = tensor.shape;
        strides = tensor.stride();
    }

    public long Count { get; }

    public bool IsReadOnly => false;

    /// <summary>One element; as many indices as dimensions, or one index in row-major order.</summary>
    public T this[params long[] indices]
    {
        get => *Element(indices);
        set => *Element(indices) = value;
    }

    public T[] ToArray()
    {
        var copy = new T[Count];
        CopyTo(copy);
        return copy;
    }

    /// <summary>An array with the tensor's dimensions.</summary>
    public Array ToNDArray()
    {
        var sizes = tensor.shape;
        if (sizes.Length == 0) return new[] { At(0) };
        var copy = Array.CreateInstance(typeof(T), sizes);
        var position = new long[sizes.Length];
        for (long i = 0; i < Count; i++)
        {
            copy.SetValue(At(i), position);
            for (int dim = sizes.Length - 1; dim >= 0 && ++position[dim] == sizes[dim]; dim--) position[dim] = 0;
        }
        return copy;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    /// <summary>Copies the elements from number <paramref name="tensorIndex"/> on.</summary>
    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var target = array[arrayIndex..];
        int count = (int)Math.Min(Count - tensorIndex, int.MaxValue);
        if (count > target.Length) throw new ArgumentException($"array: given room for {target.Length} elements, expected {count}", nameof(array));
        if (strides is null)
        {
            Here();
            new ReadOnlySpan<T>(start + tensorIndex, count).CopyTo(target);
            return;
        }
        using var packed = tensor.contiguous();
        new ReadOnlySpan<T>((T*)packed.DataPointer() + tensorIndex, count).CopyTo(target);
    }

    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyFrom((ReadOnlySpan<T>)array, arrayIndex, tensorIndex);

    /// <summary>Overwrites the elements from number <paramref name="tensorIndex"/> on, as far as both reach.</summary>
    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        Here();
        var source = array[arrayIndex..];
        int count = (int)Math.Min(Count - tensorIndex, source.Length);
        if (strides is null) source[..count].CopyTo(new Span<T>(start + tensorIndex, count));
        else for (int i = 0; i < count; i++) start[Offset(tensorIndex + i)] = source[i];
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (long i = 0; i < Count; i++) yield return At(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Same elements in the same order.</summary>
    public override bool Equals(object? obj) => obj is TensorAccessor<T> other && Count == other.Count && this.SequenceEqual(other);

    public override int GetHashCode() => Count.GetHashCode();

    public static bool operator ==(TensorAccessor<T> left, TensorAccessor<T> right) => left.Equals(right);
    public static bool operator !=(TensorAccessor<T> left, TensorAccessor<T> right) => !left.Equals(right);

    /// <summary>Owns nothing: the memory is the tensor's.</summary>
    public void Dispose() { }

    internal T At(long index)
    {
        Here();
        return start[Offset(index)];
    }

    // Memory of a disposed tensor is not touched: its Handle throws.
    private void Here() => _ = tensor.Handle;

    private T* Element(long[] indices)
    {
        Here();
        if (indices.Length == 1)
        {
            long index = indices[0];
            return index >= 0 && index < Count ? start + Offset(index) : throw new IndexOutOfRangeException($"Index {index} of a tensor with {Count} elements.");
        }
        var sizes = shape ?? tensor.shape;
        if (indices.Length != sizes.Length) throw new ArgumentException($"indices: given {indices.Length}, expected 1 or {sizes.Length}", nameof(indices));
        long flat = 0;
        for (int dim = 0; dim < sizes.Length; dim++)
        {
            if (indices[dim] < 0 || indices[dim] >= sizes[dim]) throw new IndexOutOfRangeException($"Index {indices[dim]} of dimension {dim} with size {sizes[dim]}.");
            flat = flat * sizes[dim] + indices[dim];
        }
        return start + Offset(flat);
    }

    private long Offset(long index)
    {
        if (strides is null) return index;
        long offset = 0;
        for (int dim = shape!.Length - 1; dim >= 0; dim--)
        {
            offset += index % shape[dim] * strides[dim];
            index /= shape[dim];
        }
        return offset;
    }
}
