using System.Globalization;
using System.Numerics;
using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Python's <c>format % values</c>: <c>%s</c>, <c>%r</c>, <c>%d</c>, <c>%x</c>, <c>%o</c>, <c>%f</c>, <c>%e</c>, <c>%g</c>,
/// <c>%c</c> and <c>%%</c>, with flags, width, precision and names.</summary>
internal static class PrintfFormat
{
    private const int MaximumWidth = 1 << 20;

    internal static string Apply(Run run, string format, object? values)
    {
        var arguments = values is TupleValue tuple ? tuple.Items : [values];
        var text = new StringBuilder();
        var (next, named) = (0, values is DictValue);
        object? Next() => next < arguments.Length ? arguments[next++] : throw run.Error("not enough arguments for format string");
        for (var at = 0; at < format.Length; at++)
        {
            if (format[at] != '%')
            {
                text.Append(format[at]);
                continue;
            }

            var spec = new Spec();
            object? given = Bound.Absent;
            at++;
            if (at < format.Length && format[at] == '(')
            {
                var end = format.IndexOf(')', at);
                if (end < 0)
                    throw run.Error("incomplete format key");
                if (values is not DictValue dict)
                    throw run.Error("format requires a mapping");
                var key = format[(at + 1)..end];
                given = dict.TryGet(key, out var found) ? found : throw run.Error($"the dict that is formatted has no key '{key}'");
                (at, next) = (end + 1, arguments.Length);
            }

            for (; at < format.Length && "#0- +".Contains(format[at], StringComparison.Ordinal); at++)
                spec.Flags += format[at];
            spec.Width = Size(run, format, ref at, Next);
            if (spec.Width < 0)
                (spec.Width, spec.Flags) = (-spec.Width, spec.Flags + "-");
            if (at < format.Length && format[at] == '.')
            {
                at++;
                spec.Precision = Math.Max(0, Size(run, format, ref at, Next) ?? 0);
            }

            while (at < format.Length && format[at] is 'h' or 'l' or 'L')
                at++;
            if (at >= format.Length)
                throw run.Error("incomplete format");
            if (format[at] == '%')
            {
                text.Append('%');
                continue;
            }

            var piece = Padded(spec, Part(run, format[at], spec, ReferenceEquals(given, Bound.Absent) ? Next() : given), format[at]);
            run.ChargeText(piece.Length);
            text.Append(piece);
        }

        return next == arguments.Length || named
            ? text.ToString()
            : throw run.Error("not all arguments converted during string formatting");
    }

    // A number, or * for the next value.
    private static int? Size(Run run, string format, ref int at, Func<object?> next)
    {
        if (at < format.Length && format[at] == '*')
        {
            at++;
            return Arithmetic.Whole(next()) is { } given and > -MaximumWidth and < MaximumWidth
                ? (int)given
                : throw run.Error("* wants int");
        }

        var start = at;
        while (at < format.Length && char.IsAsciiDigit(format[at]))
            at++;
        if (at == start)
            return null;
        return
            int.TryParse(format.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            && size < MaximumWidth
            ? size
            : throw run.Error("width or precision too big");
    }

    private static string Part(Run run, char type, Spec spec, object? value)
    {
        if (value is Undefined missing && type is not ('s' or 'r' or 'a'))
            throw run.Error(missing.Reason);
        return type switch
        {
            's' => Cut(PythonRepresentation.Text(run, value), spec),
            'r' or 'a' => Cut(PythonRepresentation.Representation(run, value), spec),
            'c' => Character(run, value),
            'd' or 'i' or 'u' => Integer(spec, Number(run, type, value, truncates: true), 10, ""),
            'x' => Integer(spec, Number(run, type, value, truncates: false), 16, "0x"),
            'X' => Integer(spec, Number(run, type, value, truncates: false), 16, "0x").ToUpperInvariant(),
            'o' => Integer(spec, Number(run, type, value, truncates: false), 8, "0o"),
            'f' or 'F' or 'e' or 'E' or 'g' or 'G' => Signed(
                spec,
                FloatText(Arithmetic.Real(value) ?? throw run.Error($"must be real number, not {PythonText.TypeName(value)}"), type, spec)
            ),
            _ => throw run.Error($"unsupported format character '{type}'"),
        };
    }

    private static string Cut(string text, Spec spec)
    {
        if (spec.Precision is not { } most || PythonText.Length(text) <= most)
            return text;
        var end = 0;
        for (var count = 0; count < most; count++)
            end += PythonText.IsPair(text, end) ? 2 : 1;
        return text[..end];
    }

    private static string Character(Run run, object? value) =>
        value switch
        {
            string text when PythonText.Length(text) == 1 => text,
            _ when Arithmetic.Whole(value) is { } code && Rune.IsValid((int)Math.Clamp(code, -1, int.MaxValue)) => new Rune(
                (int)code
            ).ToString(),
            _ => throw run.Error("%c requires int or char"),
        };

    private static BigInteger Number(Run run, char type, object? value, bool truncates) =>
        value switch
        {
            BigInteger whole => whole,
            double real when truncates && double.IsFinite(real) => new BigInteger(Math.Truncate(real)),
            _ => Arithmetic.Whole(value)
                ?? throw run.Error(
                    $"%{type} format: {(truncates ? "a real number" : "an integer")} is required, not {PythonText.TypeName(value)}"
                ),
        };

    private static string Integer(Spec spec, BigInteger value, int radix, string prefix)
    {
        var digits = "";
        for (var rest = BigInteger.Abs(value); rest > 0 || digits.Length == 0; rest /= radix)
            digits = "0123456789abcdef"[(int)(rest % radix)] + digits;
        digits = digits.PadLeft(spec.Precision ?? 0, '0');
        return Signed(spec, (value < 0 ? "-" : "") + (spec.Has('#') ? prefix : "") + digits);
    }

    private static string Signed(Spec spec, string number) =>
        number.StartsWith('-') ? number
        : spec.Has('+') ? "+" + number
        : spec.Has(' ') ? " " + number
        : number;

    private static string FloatText(double value, char type, Spec spec)
    {
        var upper = char.IsUpper(type);
        string Cased(string text) => upper ? text.ToUpperInvariant() : text;
        if (!double.IsFinite(value))
            return Cased(
                double.IsNaN(value) ? "nan"
                : value > 0 ? "inf"
                : "-inf"
            );
        var precision = spec.Precision ?? 6;
        return Cased(
            char.ToLowerInvariant(type) switch
            {
                'f' => PrintfNumber.Fixed(value, precision),
                'e' => PrintfNumber.Scientific(value, precision),
                _ => PrintfNumber.General(value, precision, keepsZeros: spec.Has('#')),
            }
        );
    }

    private static string Padded(Spec spec, string text, char type)
    {
        if (spec.Width is not { } width || PythonText.Length(text) >= width)
            return text;
        var fill = width - PythonText.Length(text);
        if (spec.Has('-'))
            return text + new string(' ', fill);
        if (!spec.Has('0') || type is 's' or 'r' or 'a' or 'c')
            return new string(' ', fill) + text;
        var sign = text.Length > 0 && text[0] is '-' or '+' or ' ' ? 1 : 0;
        if (spec.Has('#') && type is 'x' or 'X' or 'o')
            sign += 2;
        return text[..sign] + new string('0', fill) + text[sign..];
    }

    private struct Spec
    {
        public Spec() { }

        public string Flags { get; set; } = "";

        public int? Width { get; set; }

        public int? Precision { get; set; }

        public readonly bool Has(char flag) => Flags.Contains(flag, StringComparison.Ordinal);
    }
}
