using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging.Yaml;

/// <summary>mergekit's configuration in YAML.</summary>
internal static class MergeYaml
{
    internal const int MaximumBytes = 1 << 20;

    internal static MergeConfig Read(string text, string name, string root)
    {
        if (text.Length > MaximumBytes)
            throw new InvalidDataException($"{name} has {text.Length} characters, expected at most {MaximumBytes}");
        var map = YamlReader.Read(text, name).Object();
        try
        {
            return Read(map, root);
        }
        catch (InvalidDataException exception) when (!exception.Message.StartsWith(name, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{name}: {exception.Message}", exception);
        }
    }

    private static MergeConfig Read(YamlNode.Map map, string root)
    {
        map.Only(
            "merge_method",
            "base_model",
            "models",
            "slices",
            "parameters",
            "dtype",
            "out_dtype",
            "tokenizer_source",
            "tokenizer",
            "chat_template"
        );
        if (map.Find("chat_template") is { } template && template.Text() != "auto")
            throw template.Refuse("auto, the template of the base (or first) model");
        var node = map.Get("merge_method");
        var method = MergeMethod.Named(node.Text()) ?? throw node.Refuse($"one of {MergeMethod.Names}");
        var (models, slices) = (map.Find("models"), map.Find("slices"));
        if (models is null == slices is null)
            throw map.Refuse("either models or slices");
        var config = new MergeConfig
        {
            Method = method,
            Models = [.. (models?.Items() ?? []).Select(item => Model(item.Object(), method, root, sliced: false))],
            Slices = [.. (slices?.Items() ?? []).Select(item => Slice(item.Object(), method, root))],
            Base = map.Find("base_model") is { } origin ? Directory(origin, root) : null,
            Parameters = MergeYamlParameters.Read(map.Find("parameters"), method),
            Type = (map.Find("out_dtype") ?? map.Find("dtype")) is { } type ? Type(type) : null,
            Vocabulary = Vocabulary(map),
        };
        try
        {
            config.Validate();
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException(exception.Message, exception);
        }

        return config;
    }

    private static MergeSlice Slice(YamlNode.Map map, MergeMethod method, string root)
    {
        map.Only("sources", "parameters");
        return new MergeSlice([.. map.Get("sources").Items().Select(item => Model(item.Object(), method, root, sliced: true))])
        {
            Parameters = MergeYamlParameters.Read(map.Find("parameters"), method),
        };
    }

    private static MergeModel Model(YamlNode.Map map, MergeMethod method, string root, bool sliced)
    {
        if (sliced)
            map.Only("model", "layer_range", "parameters");
        else
            map.Only("model", "parameters");
        return new MergeModel(Directory(map.Get("model"), root))
        {
            Parameters = MergeYamlParameters.Read(map.Find("parameters"), method),
            Layers = sliced ? Layers(map.Get("layer_range")) : null,
        };
    }

    private static (int Start, int End) Layers(YamlNode node)
    {
        var items = node.Items();
        return items.Count == 2
            ? (items[0].Count(), items[1].Count())
            : throw node.Refuse("two layers, the first and the one after the last");
    }

    // Hub names, revisions and adapters are not fetched: a model is a directory.
    private static string Directory(YamlNode node, string root)
    {
        if (node is YamlNode.Map map)
        {
            map.Only("path");
            node = map.Get("path");
        }

        var path = Path.GetFullPath(Path.Combine(root, node.Text()));
        return System.IO.Directory.Exists(path) ? path : throw node.Refuse($"a model's directory, and there is no '{path}'");
    }

    private static ScalarType Type(YamlNode node) =>
        node.Text() switch
        {
            "float32" => ScalarType.Float32,
            "float16" => ScalarType.Float16,
            "bfloat16" => ScalarType.BFloat16,
            "float64" => ScalarType.Float64,
            _ => throw node.Refuse("float16, bfloat16, float32 or float64"),
        };

    private static VocabularyMerge Vocabulary(YamlNode.Map map)
    {
        if (map.Find("tokenizer") is { } tokenizer)
        {
            var settings = tokenizer.Object();
            settings.Only("source");
            return Source(settings.Get("source"));
        }

        return map.Find("tokenizer_source") is { } source ? Source(source) : VocabularyMerge.Same;
    }

    private static VocabularyMerge Source(YamlNode node) =>
        node.Text() switch
        {
            "union" => VocabularyMerge.Union,
            "base" => VocabularyMerge.Same,
            _ => throw node.Refuse("union, or base where all have the same tokens"),
        };
}
