using System.Globalization;
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

    /// <summary>Shape, type and device.</summary>
    public static string metastr(this Tensor tensor) => tensor.ToString();

    public static string str(this Tensor tensor, string? fltFormat = null, int? width = null, string? newLine = null, CultureInfo? cultureInfo = null, TensorStringStyle style = TensorStringStyle.Default) =>
        tensor.ToString(style, fltFormat, width, cultureInfo, newLine);

    public static string jlstr(this Tensor tensor, string? fltFormat = null, int? width = null, string? newLine = null, CultureInfo? cultureInfo = null) =>
        tensor.ToString(TensorStringStyle.Julia, fltFormat, width, cultureInfo, newLine);

    public static string npstr(this Tensor tensor, string? fltFormat = "g5", int? width = 100, string? newLine = null, CultureInfo? cultureInfo = null) =>
        tensor.ToString(TensorStringStyle.Numpy, fltFormat, width, cultureInfo, newLine);

    public static string cstr(this Tensor tensor, string? fltFormat = "g5", int? width = 100, string? newLine = null, CultureInfo? cultureInfo = null) =>
        tensor.ToString(TensorStringStyle.CSharp, fltFormat, width, cultureInfo, newLine);

    /// <summary>Writes the tensor to the console and returns it.</summary>
    public static Tensor print(this Tensor t, string? fltFormat = "g5", int? width = 100, string? newLine = null, CultureInfo? cultureInfo = null, TensorStringStyle style = TensorStringStyle.Default)
    {
        Console.WriteLine(t.ToString(style, fltFormat, width, cultureInfo, newLine));
        return t;
    }

    private static double Real(in NativeValue value) => value.Tag == Tag.Double ? value.Number : value.Integer;
    private static long Whole(in NativeValue value) => value.Tag == Tag.Double ? (long)value.Number : value.Integer;
}
