namespace TorchSharp;

/// <summary>Which C# type an element has.</summary>
internal static class ElementTypes
{
    /// <summary>The tensor type of <typeparamref name="T"/>.</summary>
    internal static torch.ScalarType Of<T>() where T : unmanaged => TryOf<T>() ??
        throw new ArgumentException($"T: given {typeof(T)}, expected bool, byte, sbyte, short, int, long, Half, float or double");

    private static torch.ScalarType? TryOf<T>() where T : unmanaged
    {
        if (typeof(T) == typeof(float)) return torch.ScalarType.Float32;
        if (typeof(T) == typeof(long)) return torch.ScalarType.Int64;
        if (typeof(T) == typeof(double)) return torch.ScalarType.Float64;
        if (typeof(T) == typeof(bool)) return torch.ScalarType.Bool;
        if (typeof(T) == typeof(int)) return torch.ScalarType.Int32;
        if (typeof(T) == typeof(byte)) return torch.ScalarType.Byte;
        if (typeof(T) == typeof(sbyte)) return torch.ScalarType.Int8;
        if (typeof(T) == typeof(short)) return torch.ScalarType.Int16;
        if (typeof(T) == typeof(Half)) return torch.ScalarType.Float16;
        return null;
    }
}
