using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace PostTrain.Merging.Yaml;

/// <summary>Reads one YAML document within limits. Anchors, aliases and tags are refused: a text can neither contain itself nor grow by
/// repeating a part.</summary>
internal sealed class YamlReader
{
    private const int MaximumDepth = 16;
    private const int MaximumNodes = 100_000;

    private readonly IParser parser;
    private readonly string name;
    private int nodes;

    private YamlReader(IParser parser, string name) => (this.parser, this.name) = (parser, name);

    /// <exception cref="InvalidDataException">It is not YAML, or has something that is not read; the message names the place.</exception>
    internal static YamlNode Read(string text, string name)
    {
        try
        {
            var reader = new YamlReader(new Parser(new StringReader(text)), name);
            return reader.Document();
        }
        catch (Exception exception) when (exception is YamlException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidDataException($"{name} is not YAML: {exception.Message}", exception);
        }
    }

    private YamlNode Document()
    {
        Next<StreamStart>("a document");
        Next<DocumentStart>("a document");
        Advance();
        var root = Node("the configuration", 0);
        Next<DocumentEnd>("the end of the document");
        Next<StreamEnd>("no second document");
        return root with { Place = name };
    }

    private void Next<T>(string expected)
    {
        Advance();
        if (parser.Current is not T)
            throw Broken($"there is {parser.Current?.GetType().Name}, expected {expected}");
    }

    private void Advance()
    {
        if (!parser.MoveNext())
            throw Broken("the text ends too early");
        // A comment is an event of its own where the scanner gives them.
        if (parser.Current is Comment)
            Advance();
    }

    // The parser stands on the node's first event, and after it on its last.
    private YamlNode Node(string place, int depth)
    {
        if (++nodes > MaximumNodes)
            throw Broken($"there are more than {MaximumNodes} values");
        if (depth > MaximumDepth)
            throw Broken($"{place} is nested more than {MaximumDepth} deep");
        var line = (int)(parser.Current?.Start.Line ?? 0);
        if (parser.Current is AnchorAlias alias)
            throw Broken($"{place} is the alias *{alias.Value}, and aliases are not read: write the value out");
        if (parser.Current is NodeEvent node && (!node.Anchor.IsEmpty || !node.Tag.IsEmpty))
            throw Broken($"{place} has an anchor or a tag, which are not read");
        return parser.Current switch
        {
            YamlDotNet.Core.Events.Scalar scalar => new YamlNode.Scalar(place, line, scalar.Value, scalar.Style == ScalarStyle.Plain),
            SequenceStart => List(place, line, depth),
            MappingStart => Map(place, line, depth),
            var other => throw Broken($"{place} is {other?.GetType().Name}, expected a value"),
        };
    }

    private YamlNode.List List(string place, int line, int depth)
    {
        var items = new List<YamlNode>();
        Advance();
        while (parser.Current is not SequenceEnd)
        {
            items.Add(Node($"{place}[{items.Count}]", depth + 1));
            Advance();
        }

        return new YamlNode.List(place, line, items);
    }

    private YamlNode.Map Map(string place, int line, int depth)
    {
        var entries = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        Advance();
        while (parser.Current is not MappingEnd)
        {
            var key = Node($"a key of {place}", depth + 1).Text();
            Advance();
            if (!entries.TryAdd(key, Node(depth == 0 ? key : $"{place}.{key}", depth + 1)))
                throw Broken($"{place} has '{key}' twice");
            Advance();
        }

        return new YamlNode.Map(place, line, entries);
    }

    private InvalidDataException Broken(string reason) =>
        new(FormattableString.Invariant($"{name}: {reason} (line {parser.Current?.Start.Line ?? 0})"));
}
