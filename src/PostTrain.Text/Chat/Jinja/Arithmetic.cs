using System.Numerics;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>The arithmetic operators, with Python's rules: / gives a float, // and % round down, % of a text formats.</summary>
internal static class Arithmetic
{
    internal static object? Apply(Run run, string symbol, object? left, object? right)
    {
        try
        {
            return (symbol, left, right) switch
            {
                (_, Undefined missing, _) => throw run.Error(missing.Reason),
                ("+", string a, string b) => Join(run, a, b),
                ("+", ListValue a, ListValue b) => new ListValue(Join(run, a.Items, b.Items)),
                ("+", TupleValue a, TupleValue b) => new TupleValue(Join(run, a.Items, b.Items)),
                ("%", string format, _) => PrintfFormat.Apply(run, format, right),
                ("*", string text, _) when Whole(right) is { } count => Repeat(run, text, count),
                ("*", _, string text) when Whole(left) is { } count => Repeat(run, text, count),
                ("*", ListValue list, _) when Whole(right) is { } count => new ListValue(Repeat(run, list.Items, count)),
                ("*", _, ListValue list) when Whole(left) is { } count => new ListValue(Repeat(run, list.Items, count)),
                ("*", TupleValue tuple, _) when Whole(right) is { } count => new TupleValue(Repeat(run, tuple.Items, count)),
                ("*", _, TupleValue tuple) when Whole(left) is { } count => new TupleValue(Repeat(run, tuple.Items, count)),
                _ when Whole(left) is { } a && Whole(right) is { } b => OfIntegers(run, symbol, a, b),
                _ when Real(left) is { } a && Real(right) is { } b => OfReals(run, symbol, a, b),
                (_, _, Undefined missing) => throw run.Error(missing.Reason),
                _ => throw run.Error($"{symbol} does not take {PythonText.TypeName(left)} and {PythonText.TypeName(right)}"),
            };
        }
        catch (OverflowException)
        {
            throw run.Error($"the result of {symbol} is out of range, expected an integer of 64 bits");
        }
    }

    internal static object? Sign(Run run, string symbol, object? value) =>
        value switch
        {
            Undefined missing => throw run.Error(missing.Reason),
            double real => (object)(symbol == "-" ? -real : real),
            _ when Whole(value) is { } whole and > long.MinValue => symbol == "-" ? -whole : whole,
            _ => throw run.Error($"the sign {symbol} does not take {PythonText.TypeName(value)}"),
        };

    internal static long? Whole(object? value) =>
        value switch
        {
            long whole => whole,
            bool flag => flag ? 1 : 0,
            _ => null,
        };

    internal static double? Real(object? value) =>
        value switch
        {
            double real => real,
            BigInteger whole => (double)whole,
            _ => Whole(value),
        };

    private static string Join(Run run, string left, string right)
    {
        run.ChargeText((long)left.Length + right.Length);
        return left + right;
    }

    private static object?[] Join(Run run, object?[] left, object?[] right)
    {
        run.Charge((long)left.Length + right.Length);
        return [.. left, .. right];
    }

    private static string Repeat(Run run, string text, long count)
    {
        run.ChargeText(Times(run, text.Length, count));
        return count <= 0 ? "" : string.Concat(Enumerable.Repeat(text, text.Length == 0 ? 0 : (int)count));
    }

    private static object?[] Repeat(Run run, object?[] items, long count)
    {
        run.Charge(Times(run, items.Length, count));
        return count <= 0 || items.Length == 0 ? [] : [.. Enumerable.Repeat(items, (int)count).SelectMany(row => row)];
    }

    private static long Times(Run run, long length, long count) =>
        count <= 0 ? 0
        : length == 0 || count <= int.MaxValue ? length * Math.Min(count, int.MaxValue)
        : throw run.Error($"{count} repetitions are too many");

    private static object OfIntegers(Run run, string symbol, long left, long right)
    {
        checked
        {
            switch (symbol)
            {
                case "+":
                    return left + right;
                case "-":
                    return left - right;
                case "*":
                    return left * right;
                case "/":
                    return (double)left / NotZero(run, right);
                case "//":
                    var quotient = left / NotZero(run, right);
                    return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
                case "%":
                    var rest = right == -1 ? 0 : left % NotZero(run, right);
                    return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
                default:
                    return right < 0 ? (object)OfReals(run, symbol, left, right) : Power(left, right);
            }
        }
    }

    private static long Power(long value, long exponent)
    {
        if (value is 0 or 1 || exponent == 0)
            return exponent == 0 ? 1L : value;
        if (value == -1)
            return exponent % 2 == 0 ? 1L : -1L;
        if (exponent > 63)
            throw new OverflowException();
        return checked((long)BigInteger.Pow(value, (int)exponent));
    }

    private static double OfReals(Run run, string symbol, double left, double right)
    {
        switch (symbol)
        {
            case "+":
                return left + right;
            case "-":
                return left - right;
            case "*":
                return left * right;
            case "/":
                return left / NotZero(run, right);
            case "//":
                return Math.Floor(left / NotZero(run, right));
            case "%":
                var rest = left % NotZero(run, right);
                return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
            default:
                return left == 0 && right < 0 ? throw run.Error("0 to a negative power") : Math.Pow(left, right);
        }
    }

    private static long NotZero(Run run, long value) => value != 0 ? value : throw run.Error("division by zero");

    private static double NotZero(Run run, double value) => value != 0 ? value : throw run.Error("division by zero");
}
