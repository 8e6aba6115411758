using PostTrain.Torch.Interop;

namespace TorchSharp;

/// <summary>A number as an argument of an operator: whole, real or boolean.</summary>
public sealed class Scalar : IDisposable
{
    internal readonly Tag Tag;
    internal readonly long Bits;

    private Scalar(Tag tag, long bits, torch.ScalarType type)
    {
        Tag = tag;
        Bits = bits;
        Type = type;
    }

    public torch.ScalarType Type { get; }

    internal double Number => Tag == Tag.Double ? BitConverter.Int64BitsToDouble(Bits) : Bits;

    public static implicit operator Scalar(byte value) => Whole(value);
    public static implicit operator Scalar(sbyte value) => Whole(value);
    public static implicit operator Scalar(short value) => Whole(value);
    public static implicit operator Scalar(int value) => Whole(value);
    public static implicit operator Scalar(long value) => Whole(value);
    public static implicit operator Scalar(float value) => Real(value);
    public static implicit operator Scalar(double value) => Real(value);
    public static implicit operator Scalar(Half value) => Real((double)value);
    public static implicit operator Scalar(bool value) => new(Tag.Bool, value ? 1 : 0, torch.ScalarType.Bool);

    /// <summary>Holds nothing native; kept for TorchSharp's API.</summary>
    public void Dispose() { }

    private static Scalar Whole(long value) => new(Tag.Int, value, torch.ScalarType.Int64);
    private static Scalar Real(double value) => new(Tag.Double, BitConverter.DoubleToInt64Bits(value), torch.ScalarType.Float64);
}

public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this byte value) => value;
    public static Scalar ToScalar(this sbyte value) => value;
    public static Scalar ToScalar(this short value) => value;
    public static Scalar ToScalar(this int value) => value;
    public static Scalar ToScalar(this long value) => value;
    public static Scalar ToScalar(this float value) => value;
    public static Scalar ToScalar(this double value) => value;
    public static Scalar ToScalar(this bool value) => value;

    public static bool ToBoolean(this Scalar value) => value.Number != 0;
    public static int ToInt32(this Scalar value) => (int)value.ToInt64();
    public static long ToInt64(this Scalar value) => value.Tag == Tag.Double ? (long)value.Number : value.Bits;
    public static float ToSingle(this Scalar value) => (float)value.Number;
    public static double ToDouble(this Scalar value) => value.Number;
}
