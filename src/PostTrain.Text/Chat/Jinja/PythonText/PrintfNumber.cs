using System.Globalization;
using System.Numerics;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Formats real numbers like C and Python: exact digits, ties to even.</summary>
internal static class PrintfNumber
{
    /// <summary>Formats the number with the given digits after the point.</summary>
    internal static string Fixed(double value, int precision)
    {
        var digits = Rounded(Math.Abs(value), precision).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        return Sign(value) + (precision == 0 ? digits : $"{digits[..^precision]}.{digits[^precision..]}");
    }

    /// <summary>Formats the number with one digit before the point, the given digits after it, and an exponent.</summary>
    internal static string Scientific(double value, int precision)
    {
        var (digits, exponent) = Significant(Math.Abs(value), precision + 1);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Sign(value)}{digits[..1]}{(precision == 0 ? "" : ".")}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}"
        );
    }

    /// <summary>Formats the number with the given total of digits in the shorter of the two forms, without trailing zeros unless
    /// requested.</summary>
    internal static string General(double value, int precision, bool keepsZeros)
    {
        precision = Math.Max(1, precision);
        var exponent = Significant(Math.Abs(value), precision).Exponent;
        if (exponent >= -4 && exponent < precision)
            return Trimmed(Fixed(value, precision - 1 - exponent), keepsZeros);
        var text = Scientific(value, precision - 1);
        var place = text.IndexOf('e', StringComparison.Ordinal);
        return Trimmed(text[..place], keepsZeros) + text[place..];
    }

    private static string Trimmed(string number, bool keepsZeros) =>
        keepsZeros || !number.Contains('.', StringComparison.Ordinal) ? number : number.TrimEnd('0').TrimEnd('.');

    private static string Sign(double value) => double.IsNegative(value) ? "-" : "";

    private static (string Digits, int Exponent) Significant(double value, int count)
    {
        if (value == 0)
            return (new string('0', count), 0);
        // The estimate may be off by one near a power of ten.
        var exponent = (int)Math.Floor(Math.Log10(value)) - 1;
        var digits = Rounded(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        while (digits.Length > count)
        {
            exponent++;
            digits = Rounded(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        }

        return (digits, exponent);
    }

    // value · 10^places as a whole number, from the exact value m · 2^e.
    private static BigInteger Rounded(double value, int places)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger above = (bits & ((1L << 52) - 1)) | (exponent == 0 ? 0 : 1L << 52),
            below = BigInteger.One;
        var shift = Math.Max(1, exponent) - 1075;
        if (shift >= 0)
            above <<= shift;
        else
            below <<= -shift;
        if (places >= 0)
            above *= BigInteger.Pow(10, places);
        else
            below *= BigInteger.Pow(10, -places);
        var whole = BigInteger.DivRem(above, below, out var rest);
        var half = (rest * 2).CompareTo(below);
        return half > 0 || (half == 0 && !whole.IsEven) ? whole + 1 : whole;
    }
}
