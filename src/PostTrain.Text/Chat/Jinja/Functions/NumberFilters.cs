using System.Globalization;
using System.Numerics;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Filters that create and round numbers.</summary>
internal static class NumberFilters
{
    internal static object? Integer(Run run, object? value, Bound given)
    {
        var fallback = given.Value(0, 0L);
        var radix = given.Integer(1, 10);
        if (radix is not (2 or 8 or 10 or 16))
            throw run.Error($"int reads the bases 2, 8, 10 and 16, was given {radix}");
        switch (value)
        {
            case string text:
                return (object?)Parse(text, (int)radix)
                    ?? (Parse(text) is { } real && Truncate(real) is { } whole ? (object?)whole : fallback);
            case BigInteger:
                return value;
            case Undefined missing:
                throw run.Error(missing.Reason);
            default:
                return Arithmetic.Real(value) is { } number ? (object?)(Arithmetic.Whole(value) ?? Truncate(number)) ?? fallback : fallback;
        }
    }

    internal static object? Real(Run run, object? value, Bound given)
    {
        if (value is Undefined missing)
            throw run.Error(missing.Reason);
        return (value is string text ? Parse(text) : Arithmetic.Real(value)) is { } real ? real : given.Value(0, 0.0);
    }

    internal static object Absolute(Run run, object? value) =>
        value switch
        {
            double real => (object)Math.Abs(real),
            BigInteger whole => BigInteger.Abs(whole),
            _ when Arithmetic.Whole(value) is { } whole and > long.MinValue => Math.Abs(whole),
            _ => throw run.Error($"abs needs a number, found {PythonText.TypeName(value)}"),
        };

    internal static object Round(Run run, object? value, Bound given)
    {
        var (precision, method) = (given.Integer(0, 0), given.Text(1, "common"));
        if (precision is < 0 or > 300)
            throw run.Error($"round needs a precision from 0 to 300, was given {precision}");
        if (method is not ("common" or "ceil" or "floor"))
            throw run.Error($"round knows the methods 'common', 'ceil' and 'floor', not '{method}'");
        if (Arithmetic.Real(value) is not { } number)
            throw run.Error($"round needs a number, found {PythonText.TypeName(value)}");
        if (method == "common")
            return Arithmetic.Whole(value) is { } whole ? (object)whole : Nearest(number, (int)precision);
        var scale = Math.Pow(10, precision);
        return (method == "ceil" ? Math.Ceiling(number * scale) : Math.Floor(number * scale)) / scale;
    }

    // Rounds the exact value, halves to even.
    private static double Nearest(double value, int precision)
    {
        if (!double.IsFinite(value) || precision == 0)
            return Math.Round(value, MidpointRounding.ToEven);
        // A value is exactly half of the last digit only if it is a multiple of a small power of two, which decimal represents exactly.
        var scaled = Math.ScaleB(value, precision + 1);
        if (precision <= 20 && Math.Abs(value) < 1e7 && scaled == Math.Floor(scaled))
            return (double)decimal.Round((decimal)value, precision, MidpointRounding.ToEven);
        return double.Parse(
            value.ToString("F" + precision.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
            CultureInfo.InvariantCulture
        );
    }

    private static long? Truncate(double value) => Math.Abs(value) < 9e18 ? (long)value : null;

    private static long? Parse(string text, int radix)
    {
        var digits = PythonText.Strip(text, null).Replace("_", "", StringComparison.Ordinal);
        var negative = digits.StartsWith('-');
        digits = digits.StartsWith('-') || digits.StartsWith('+') ? digits[1..] : digits;
        var prefix = radix switch
        {
            2 => "0b",
            8 => "0o",
            16 => "0x",
            _ => "\0",
        };
        digits = digits.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) ? digits[2..] : digits;
        long value = 0;
        foreach (var digit in digits)
        {
            var amount = char.IsAsciiHexDigit(digit) ? Convert.ToInt32(digit.ToString(), 16) : 99;
            if (amount >= radix || value > (long.MaxValue - amount) / radix)
                return null;
            value = (value * radix) + amount;
        }

        return digits.Length > 0
            ? negative
                ? -value
                : value
            : null;
    }

    private static double? Parse(string text) =>
        PythonText.Strip(text, null).ToLowerInvariant() switch
        {
            "inf" or "+inf" or "infinity" or "+infinity" => double.PositiveInfinity,
            "-inf" or "-infinity" => double.NegativeInfinity,
            "nan" or "+nan" or "-nan" => double.NaN,
            var digits => double.TryParse(
                digits,
                NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture,
                out var value
            )
                ? value
                : null,
        };
}
