using System.CommandLine;
using System.Globalization;
using System.Reflection;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace PostTrain.Tool;

/// <summary>A YAML file of options: one mapping, each key an option without its dashes, each value a scalar or a list of scalars.</summary>
internal static class RunFile
{
    internal const string Name = "run.yaml";
    private const string CommandKey = "command",
        VersionKey = "posttrain";
    private const int MaximumBytes = 1 << 20;

    internal static string Version =>
        typeof(RunFile).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Returns the arguments that the file of a command line stands for: its keys that the command line does not give.</summary>
    /// <exception cref="UsageException">There is no such file, it is malformed, or a key is unknown.</exception>
    internal static IReadOnlyList<string> Arguments(ToolCommand command, ParseResult given)
    {
        if (command.FileOf(given) is not { } path)
            return [];
        var arguments = new List<string>();
        var known = command.Options.Where(command.IsRecorded).ToDictionary(option => option.Name.TrimStart('-'));
        foreach (var (key, values) in Read(path))
        {
            if (key == VersionKey)
                continue;
            if (key == CommandKey)
            {
                if (values is not [var name] || name != command.Name)
                    throw new UsageException(
                        $"{path}: command is '{string.Join(", ", values)}', expected '{command.Name}'; run it with posttrain {values[0]}"
                    );
                continue;
            }
            if (!known.TryGetValue(key, out var option))
                throw new UsageException($"{path}: there is no option '{key}'{NearestName.Hint(key, known.Keys)}");
            if (given.GetResult(option) is { Implicit: false })
                continue;
            arguments.AddRange(values.Select(value => $"{option.Name}={value}"));
        }
        return arguments;
    }

    /// <summary>Writes the file of a run.</summary>
    internal static void Write(string path, string command, IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> settings)
    {
        var fields = new YamlMappingNode { { CommandKey, command }, { VersionKey, Version } };
        foreach (var (key, values) in settings)
            fields.Add(
                key,
                values is [var only] ? new YamlScalarNode(only) : new YamlSequenceNode(values.Select(value => new YamlScalarNode(value)))
            );
        using var written = new StringWriter(CultureInfo.InvariantCulture);
        new YamlStream(new YamlDocument(fields)).Save(written, assignAnchors: false);
        var text = written.ToString().ReplaceLineEndings("\n");
        if (text.EndsWith("...\n", StringComparison.Ordinal))
            text = text[..^4];
        // Beside its place, then renamed: never half a file.
        var beside = $"{path}.{Guid.NewGuid():N}";
        File.WriteAllText(beside, $"# posttrain {command} --config {Name} runs this again.\n{text}");
        File.Move(beside, path, overwrite: true);
    }

    private static IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> Read(string path)
    {
        YamlMappingNode fields;
        try
        {
            if (!File.Exists(path))
                throw new UsageException($"there is no file '{path}'");
            if (new FileInfo(path).Length > MaximumBytes)
                throw new UsageException($"{path} has more than {MaximumBytes} bytes, expected a YAML file of options");
            var yaml = new YamlStream();
            using var reader = File.OpenText(path);
            yaml.Load(reader);
            fields = yaml.Documents is [{ RootNode: YamlMappingNode mapping }]
                ? mapping
                : throw new UsageException($"{path}: expected one YAML mapping of options, such as 'steps: 100'");
        }
        catch (Exception exception) when (exception is YamlException or IOException or UnauthorizedAccessException)
        {
            var place = exception is YamlException { Start.Line: > 0 } at ? $", line {at.Start.Line}" : "";
            throw new UsageException($"{path}{place}: {exception.Message}");
        }
        foreach (var (key, value) in fields.Children)
        {
            if (key is not YamlScalarNode { Value: { Length: > 0 } name })
                throw new UsageException($"{path}, line {key.Start.Line}: expected the name of an option");
            // Absent rather than an empty text.
            if (value is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "null" or "~" })
                continue;
            yield return KeyValuePair.Create(name, Values(path, name, value));
        }
    }

    private static IReadOnlyList<string> Values(string path, string name, YamlNode value) =>
        value switch
        {
            YamlScalarNode scalar => [scalar.Value ?? ""],
            YamlSequenceNode { Children: { Count: > 0 } items } when items.All(item => item is YamlScalarNode) =>
            [
                .. items.Select(item => ((YamlScalarNode)item).Value ?? ""),
            ],
            _ => throw new UsageException($"{path}, line {value.Start.Line}: {name} must be a value or a list of values"),
        };
}
