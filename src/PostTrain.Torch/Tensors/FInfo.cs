namespace TorchSharp;

public static partial class torch
{
    /// <summary>Limits of a floating-point type.</summary>
    public struct FInfo
    {
        public int bits;

        /// <summary>The gap between 1 and the next larger number.</summary>
        public double eps;

        public double max;
        public double min;

        /// <summary>The smallest positive number with full precision; the same as <see cref="smallest_normal"/>.</summary>
        public double tiny;

        public double smallest_normal;

        /// <summary>10 to the power of minus the decimal digits that are always exact.</summary>
        public double resolution;
    }

    public static FInfo finfo() => finfo(get_default_dtype());

    public static FInfo finfo(ScalarType dtype) => dtype switch
    {
        ScalarType.Float16 => Limits(16, 10, 15, 1e-3),
        ScalarType.BFloat16 => Limits(16, 7, 127, 1e-2),
        ScalarType.Float32 => Limits(32, 23, 127, 1e-6),
        ScalarType.Float64 => Limits(64, 52, 1023, 1e-15),
        _ => throw new ArgumentException($"dtype: given {dtype}, expected a floating-point type", nameof(dtype)),
    };

    /// <summary>The largest value of a whole-number type.</summary>
    public static long max_int_value(ScalarType type) => type switch
    {
        ScalarType.Byte => byte.MaxValue,
        ScalarType.Int8 => sbyte.MaxValue,
        ScalarType.Int16 => short.MaxValue,
        ScalarType.Int32 => int.MaxValue,
        ScalarType.Int64 => long.MaxValue,
        _ => throw new ArgumentException($"type: given {type}, expected a whole-number type", nameof(type)),
    };

    private static FInfo Limits(int bits, int mantissa, int exponent, double resolution)
    {
        double eps = Math.Pow(2, -mantissa), max = (2 - eps) * Math.Pow(2, exponent), normal = Math.Pow(2, 1 - exponent);
        return new FInfo { bits = bits, eps = eps, max = max, min = -max, tiny = normal, smallest_normal = normal, resolution = resolution };
    }
}
