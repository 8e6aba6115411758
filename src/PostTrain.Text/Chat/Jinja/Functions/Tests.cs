using System.Numerics;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>The tests, by name.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Func<Run, object?, Arguments, bool>> ByName = new(StringComparer.Ordinal)
    {
        ["defined"] = (_, value, _) => value is not Undefined,
        ["undefined"] = (_, value, _) => value is Undefined,
        ["none"] = (_, value, _) => value is null,
        ["boolean"] = (_, value, _) => value is bool,
        ["true"] = (_, value, _) => value is true,
        ["false"] = (_, value, _) => value is false,
        ["string"] = (_, value, _) => value is string,
        ["number"] = (_, value, _) => value is bool or long or double or BigInteger,
        ["integer"] = (_, value, _) => value is long or BigInteger,
        ["float"] = (_, value, _) => value is double,
        ["mapping"] = (_, value, _) => value is DictValue,
        ["sequence"] = (_, value, _) => value is string or DictValue or Undefined or (SequenceValue and not ViewValue),
        ["iterable"] = (_, value, _) => Items.AreIn(value),
        ["callable"] = (_, value, _) => value is FunctionValue or Undefined,
        ["escaped"] = (_, _, _) => false,
        ["upper"] = (run, value, _) => StringMethods.IsUpper(PythonRepresentation.Text(run, value)),
        ["lower"] = (run, value, _) => StringMethods.IsLower(PythonRepresentation.Text(run, value)),
        ["odd"] = (run, value, _) => Remainder(run, value, 2L) == 1,
        ["even"] = (run, value, _) => Remainder(run, value, 2L) == 0,
        ["divisibleby"] = (run, value, given) => Remainder(run, value, given.Bind(run, "divisibleby", "num").Value(0)) == 0,
        ["eq"] = Equal,
        ["equalto"] = Equal,
        ["=="] = Equal,
        ["ne"] = (run, value, given) => !Equal(run, value, given),
        ["!="] = (run, value, given) => !Equal(run, value, given),
        ["lt"] = (run, value, given) => Order(run, value, given) < 0,
        ["lessthan"] = (run, value, given) => Order(run, value, given) < 0,
        ["<"] = (run, value, given) => Order(run, value, given) < 0,
        ["le"] = (run, value, given) => Order(run, value, given) <= 0,
        ["<="] = (run, value, given) => Order(run, value, given) <= 0,
        ["gt"] = (run, value, given) => Order(run, value, given) > 0,
        ["greaterthan"] = (run, value, given) => Order(run, value, given) > 0,
        [">"] = (run, value, given) => Order(run, value, given) > 0,
        ["ge"] = (run, value, given) => Order(run, value, given) >= 0,
        [">="] = (run, value, given) => Order(run, value, given) >= 0,
        ["in"] = (run, value, given) => Comparison.Contains(run, given.Bind(run, "in", "seq").Value(0), value),
        ["sameas"] = (run, value, given) =>
            given.Bind(run, "sameas", "other").Value(0) is var other
            && (value is null or bool or long or string ? Equals(value, other) : ReferenceEquals(value, other)),
    };

    internal static bool Apply(Run run, string name, object? value, Arguments arguments) =>
        ByName.TryGetValue(name, out var test) ? test(run, value, arguments) : throw run.Error($"there is no test '{name}'");

    private static bool Equal(Run run, object? value, Arguments arguments) =>
        Comparison.AreEqual(run, value, arguments.Bind(run, "eq", "other").Value(0));

    private static int Order(Run run, object? value, Arguments arguments) =>
        Comparison.Order(run, value, arguments.Bind(run, "the comparison", "other").Value(0));

    private static double? Remainder(Run run, object? value, object? divisor) =>
        value is string ? throw run.Error("a string is not divided") : Arithmetic.Real(Arithmetic.Apply(run, "%", value, divisor));
}
