using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Copies a managed array of any rank.</summary>
    public static Tensor from_array(Array rawArray, Device? device = null) => from_array(rawArray, null, device);

    public static Tensor from_array(Array rawArray, ScalarType? dtype, Device? device = null, bool requires_grad = false, string[]? names = null) => rawArray.GetType().GetElementType() switch
    {
        var type when type == typeof(bool) => Copied(Elements<bool>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(byte) => Copied(Elements<byte>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(sbyte) => Copied(Elements<sbyte>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(short) => Copied(Elements<short>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(int) => Copied(Elements<int>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(long) => Copied(Elements<long>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(Half) => Copied(Elements<Half>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(float) => Copied(Elements<float>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        var type when type == typeof(double) => Copied(Elements<double>(rawArray), Sizes(rawArray), dtype, device, requires_grad, names),
        _ => throw new ArgumentException($"rawArray: given {rawArray.GetType()}, expected an array of numbers or booleans", nameof(rawArray)),
    };

    /// <summary>Sets what every factory lets the caller set on its result.</summary>
    private static Tensor New(Tensor created, bool requires_grad, string[]? names = null)
    {
        if (names is not null)
        {
            created.Dispose();
            throw new NotSupportedException("names: named dimensions are not supported, expected null");
        }
        if (requires_grad) created.requires_grad = true;
        return created;
    }

    private static Tensor Copied<T>(ReadOnlySpan<T> elements, long[] sizes, ScalarType? dtype, Device? device, bool requires_grad, string[]? names) where T : unmanaged
    {
        if (sizes.TotalSize() != elements.Length)
            throw new ArgumentException($"dimensions: given [{string.Join(", ", sizes)}] = {sizes.TotalSize()} elements, expected as many as the array has: {elements.Length}", "dimensions");
        var own = ElementTypes.Of<T>();
        var copy = Ops.empty_memory_format.Call(sizes, own);
        unsafe
        {
            if (elements.Length > 0) elements.CopyTo(new Span<T>((void*)Native.pt_data(copy.Handle), elements.Length));
        }
        var target = On(device);
        if ((dtype ?? own) != own || target is not null and not { type: DeviceType.CPU })
            copy = copy.to(dtype ?? own, target ?? CPU, disposeAfter: true);
        return New(copy, requires_grad, names);
    }

    private static ReadOnlySpan<T> Elements<T>(Array array) =>
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, T>(ref MemoryMarshal.GetArrayDataReference(array)), array.Length);

    private static ReadOnlySpan<T> ElementsOf<T>(IList<T> list) => list switch
    {
        T[] array => array,
        List<T> known => CollectionsMarshal.AsSpan(known),
        _ => list.ToArray(),
    };

    private static long[] Sizes(Array array)
    {
        var sizes = new long[array.Rank];
        for (int i = 0; i < sizes.Length; i++) sizes[i] = array.GetLongLength(i);
        return sizes;
    }
}
