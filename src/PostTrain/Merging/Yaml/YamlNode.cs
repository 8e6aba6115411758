using System.Globalization;
using System.Text.RegularExpressions;

namespace PostTrain.Merging.Yaml;

/// <summary>A place in a YAML text; what is of another kind than asked for is refused with the place, what is there, and what was
/// expected.</summary>
internal abstract partial record YamlNode(string Place, int Line)
{
    /// <summary>A scalar; quoted ones are texts whatever they say.</summary>
    internal sealed record Scalar(string Place, int Line, string Value, bool Plain) : YamlNode(Place, Line);

    /// <summary>A list.</summary>
    internal sealed record List(string Place, int Line, IReadOnlyList<YamlNode> Values) : YamlNode(Place, Line);

    /// <summary>Keys and values, each key once.</summary>
    internal sealed record Map(string Place, int Line, IReadOnlyDictionary<string, YamlNode> Entries) : YamlNode(Place, Line)
    {
        internal YamlNode? Find(string name) =>
            Entries.TryGetValue(name, out var found) && found is not Scalar { Plain: true, Value: "" or "~" or "null" } ? found : null;

        internal YamlNode Get(string name) => Find(name) ?? throw Broken($"{Place} has no {name}, which was expected");

        /// <summary>Refuses keys that are not among these.</summary>
        internal void Only(params ReadOnlySpan<string> names)
        {
            foreach (var name in Entries.Keys)
            {
                if (!names.Contains(name))
                    throw Broken($"{Place} has '{name}', expected only {string.Join(", ", names.ToArray())}");
            }
        }
    }

    internal string Text() => this is Scalar scalar ? scalar.Value : throw Refuse("a text");

    internal double Number() => MaybeNumber() ?? throw Refuse("a finite number");

    internal double? MaybeNumber() =>
        this is Scalar { Plain: true } scalar
        && NumberPattern().IsMatch(scalar.Value)
        && double.TryParse(scalar.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
        && double.IsFinite(value)
            ? value
            : null;

    internal int Count() =>
        Number() is var value && value == Math.Floor(value) && value is >= 0 and <= int.MaxValue
            ? (int)value
            : throw Refuse("a whole number of at least 0");

    internal bool Flag() =>
        this is Scalar { Plain: true } scalar
            ? scalar.Value switch
            {
                "true" or "True" or "TRUE" => true,
                "false" or "False" or "FALSE" => false,
                _ => throw Refuse("true or false"),
            }
            : throw Refuse("true or false");

    internal IReadOnlyList<YamlNode> Items() => this is List list ? list.Values : throw Refuse("a list");

    internal Map Object() => this as Map ?? throw Refuse("keys with values");

    internal InvalidDataException Refuse(string expected) => Broken($"{Place} is {Shown()}, expected {expected}");

    private protected InvalidDataException Broken(string reason) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{reason} (line {Line})"));

    private string Shown() =>
        this switch
        {
            Scalar scalar => $"'{(scalar.Value.Length <= 60 ? scalar.Value : scalar.Value[..60] + "...")}'",
            List => "a list",
            _ => "a group of keys",
        };

    [GeneratedRegex(@"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex NumberPattern();
}
