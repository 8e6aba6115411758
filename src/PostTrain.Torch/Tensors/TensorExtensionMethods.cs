using PostTrain.Torch.Interop;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>Reads a tensor's only element in the type that is wanted, whatever type it has, and other small things.</summary>
public static class TensorExtensionMethods
{
    public static bool ToBoolean(this Tensor value) => Real(value.Number()) != 0;
    public static byte ToByte(this Tensor value) => (byte)Whole(value.Number());
    public static sbyte ToSByte(this Tensor value) => (sbyte)Whole(value.Number());
    public static short ToInt16(this Tensor value) => (short)Whole(value.Number());
    public static int ToInt32(this Tensor value) => (int)Whole(value.Number());
    public static long ToInt64(this Tensor value) => Whole(value.Number());
    public static Half ToHalf(this Tensor value) => (Half)Real(value.Number());
    public static float ToSingle(this Tensor value) => (float)Real(value.Number());
    public static double ToDouble(this Tensor value) => Real(value.Number());

    /// <summary>The product of the sizes.</summary>
    public static long TotalSize(this IEnumerable<long> shape)
    {
        long total = 1;
        foreach (long size in shape) total = checked(total * size);
        return total;
    }

    /// <summary>The bytes of an element.</summary>
    public static int ElementSize(this ScalarType type) => type switch
    {
        ScalarType.Byte or ScalarType.Int8 or ScalarType.Bool => 1,
        ScalarType.Int16 or ScalarType.Float16 or ScalarType.BFloat16 => 2,
        ScalarType.Int32 or ScalarType.Float32 => 4,
        ScalarType.Int64 or ScalarType.Float64 or ScalarType.ComplexFloat32 => 8,
        ScalarType.ComplexFloat64 => 16,
        _ => throw new ArgumentException($"type: given {type}, expected a known element type", nameof(type)),
    };

    /// <summary>A tensor without dimensions that holds the number.</summary>
    public static Tensor ToTensor<T>(this T scalar, Device? device = null, bool requires_grad = false) where T : struct => scalar switch
    {
        bool value => tensor(value, null, device, requires_grad),
        byte value => tensor(value, device, requires_grad),
        sbyte value => tensor(value, device, requires_grad),
        short value => tensor(value, device, requires_grad),
        int value => tensor(value, device, requires_grad),
        long value => tensor(value, null, device, requires_grad),
        float value => tensor(value, device, requires_grad),
        double value => tensor(value, null, device, requires_grad),
        _ => throw new ArgumentException($"scalar: given {typeof(T)}, expected a number or a boolean", nameof(scalar)),
    };

    private static double Real(in NativeValue value) => value.Tag == Tag.Double ? value.Number : value.Integer;
    private static long Whole(in NativeValue value) => value.Tag == Tag.Double ? (long)value.Number : value.Integer;
}
