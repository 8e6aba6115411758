using System.Numerics;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Truth, equality, order and membership of values.</summary>
internal static class Comparison
{
    internal static bool IsTrue(Run run, object? value)
    {
        run.Charge();
        return value switch
        {
            null or Undefined => false,
            bool flag => flag,
            long whole => whole != 0,
            BigInteger whole => !whole.IsZero,
            double real => real != 0,
            string text => text.Length > 0,
            DictValue dict => dict.Count > 0,
            SequenceValue sequence => sequence.Items.Length > 0,
            _ => true,
        };
    }

    internal static bool AreEqual(Run run, object? left, object? right)
    {
        run.Charge();
        if (Number(left) is { } first && Number(right) is { } second)
            return Compare(first, second) == 0;
        switch (left, right)
        {
            case (null, null) or (Undefined, Undefined):
                return true;
            case (string a, string b):
                run.Charge(a.Length == b.Length ? a.Length / 64 : 0);
                return string.Equals(a, b, StringComparison.Ordinal);
            case (ListValue a, ListValue b):
                return AreEqual(run, a.Items, b.Items);
            case (TupleValue a, TupleValue b):
                return AreEqual(run, a.Items, b.Items);
            case (RangeValue a, RangeValue b):
                return AreEqual(run, a.Items, b.Items);
            case (DictValue a, DictValue b):
                return a.Count == b.Count && AreEqual(run, a, b);
            default:
                return ReferenceEquals(left, right);
        }
    }

    /// <summary>Returns a negative number, 0 or a positive one; types that Python cannot order are an error.</summary>
    internal static int Order(Run run, object? left, object? right)
    {
        run.Charge();
        if (Number(left) is { } first && Number(right) is { } second)
            return Compare(first, second);
        switch (left, right)
        {
            case (string a, string b):
                run.Charge(Math.Min(a.Length, b.Length) / 64);
                return OrderTexts(a, b);
            case (ListValue a, ListValue b):
                return Order(run, a.Items, b.Items);
            case (TupleValue a, TupleValue b):
                return Order(run, a.Items, b.Items);
            case (Undefined missing, _):
                throw run.Error(missing.Reason);
            case (_, Undefined missing):
                throw run.Error(missing.Reason);
            default:
                throw run.Error($"{PythonText.TypeName(left)} and {PythonText.TypeName(right)} have no order");
        }
    }

    internal static bool Contains(Run run, object? container, object? item)
    {
        switch (container)
        {
            case string text:
                if (item is not string part)
                    throw run.Error($"'in' with a str on the right needs a str on the left, found {PythonText.TypeName(item)}");
                run.ChargeSearch(text, part);
                return text.Contains(part, StringComparison.Ordinal);
            case DictValue dict:
                return DictValue.CanBeKey(item) || item is Undefined or TupleValue
                    ? dict.TryGet(item, out _)
                    : throw run.Error($"{PythonText.TypeName(item)} cannot be the key of a dict");
            default:
                return Array.Exists(Items.Of(run, container), candidate => AreEqual(run, candidate, item));
        }
    }

    // Code points, not UTF-16 units: characters above U+FFFF come after U+E000 to U+FFFF.
    private static int OrderTexts(string left, string right)
    {
        var common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
            return left.Length - right.Length;
        var (a, b) = (left[common], right[common]);
        return char.IsSurrogate(a) == char.IsSurrogate(b) ? a - b
            : char.IsSurrogate(a) ? 1
            : -1;
    }

    private static object? Number(object? value) =>
        value switch
        {
            bool flag => flag ? 1L : 0L,
            long or double or BigInteger => value,
            _ => null,
        };

    // NaN is neither smaller, equal nor larger: any result but 0 keeps it unequal.
    private static int Compare(object left, object right) =>
        (left, right) switch
        {
            (long a, long b) => a.CompareTo(b),
            (double a, double b) => Compare(a, b),
            (double a, long b) => Compare(a, b),
            (long a, double b) => Compare(a, b),
            (double a, BigInteger b) => Compare(a, (double)b),
            (BigInteger a, double b) => Compare((double)a, b),
            (long a, BigInteger b) => new BigInteger(a).CompareTo(b),
            (BigInteger a, long b) => a.CompareTo(new BigInteger(b)),
            (BigInteger a, BigInteger b) => a.CompareTo(b),
            _ => throw new InvalidOperationException($"{left.GetType()} and {right.GetType()} are no numbers"),
        };

    private static int Compare(double left, double right) =>
        left == right ? 0
        : left < right ? -1
        : 1;

    private static bool AreEqual(Run run, object?[] left, object?[] right)
    {
        if (left.Length != right.Length)
            return false;
        run.Enter();
        var equal = true;
        for (var place = 0; equal && place < left.Length; place++)
            equal = AreEqual(run, left[place], right[place]);
        run.Leave();
        return equal;
    }

    private static bool AreEqual(Run run, DictValue left, DictValue right)
    {
        run.Enter();
        var equal = left.Entries.All(entry => right.TryGet(entry.Key, out var other) && AreEqual(run, entry.Value, other));
        run.Leave();
        return equal;
    }

    private static int Order(Run run, object?[] left, object?[] right)
    {
        run.Enter();
        var order = left.Length.CompareTo(right.Length);
        for (var place = 0; place < Math.Min(left.Length, right.Length); place++)
        {
            if (AreEqual(run, left[place], right[place]))
                continue;
            order = Order(run, left[place], right[place]);
            break;
        }

        run.Leave();
        return order;
    }
}
