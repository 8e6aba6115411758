using System.Text.Json;
using PostTrain.Text.Chat.Jinja;
using PostTrain.Text.Files;

namespace PostTrain.Text.Chat;

/// <summary>Reads chat templates and special tokens from a tokenizer's directory.</summary>
internal static class ChatTemplateFiles
{
    private const int MaximumTemplateBytes = 4 << 20;
    private const int MaximumConfigBytes = 64 << 20;
    private const string Config = "tokenizer_config.json";
    private static readonly string[] TokenNames =
    [
        "bos_token",
        "eos_token",
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
    ];

    internal static ChatTemplate Load(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var sources = new Dictionary<string, (string Path, string Source)>(StringComparer.Ordinal);
        var tokens = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in (string[])["special_tokens_map.json", Config])
        {
            var path = Path.Combine(directory, name);
            if (File.Exists(path))
                ReadConfig(path, sources, tokens);
        }

        ReadFiles(directory, sources);
        if (sources.Count == 0)
            throw new FileNotFoundException(
                $"{directory} has no chat template, expected chat_template.jinja or \"chat_template\" in {Config}",
                Path.Combine(directory, "chat_template.jinja")
            );
        return new ChatTemplate(sources.ToDictionary(item => item.Key, item => Parse(item.Value.Path, item.Value.Source)), tokens);
    }

    // Template files take precedence over the configuration.
    private static void ReadFiles(string directory, Dictionary<string, (string, string)> sources)
    {
        var main = Path.Combine(directory, "chat_template.jinja");
        var further = Path.Combine(directory, "additional_chat_templates");
        List<(string Name, string Path)> files = File.Exists(main) ? [("default", main)] : [];
        if (Directory.Exists(further))
            files.AddRange(
                Directory
                    .EnumerateFiles(further, "*.jinja")
                    .Order(StringComparer.Ordinal)
                    .Select(path => (Path.GetFileNameWithoutExtension(path), path))
            );
        if (files.Count > 0)
            sources.Clear();
        foreach (var (name, path) in files)
            sources[name] = (path, BoundedFile.ReadText(path, MaximumTemplateBytes, "a chat template"));
    }

    private static void ReadConfig(string path, Dictionary<string, (string, string)> sources, Dictionary<string, string> tokens)
    {
        try
        {
            using var document = JsonDocument.Parse(BoundedFile.ReadBytes(path, MaximumConfigBytes, "a tokenizer's configuration"));
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{path} is a JSON {root.ValueKind}, expected an object");
            foreach (var property in root.EnumerateObject())
            {
                if (TokenNames.Contains(property.Name))
                    ReadToken(property, tokens);
                else if (
                    property is { Name: "extra_special_tokens" or "model_specific_special_tokens", Value.ValueKind: JsonValueKind.Object }
                )
                    property.Value.EnumerateObject().ToList().ForEach(token => ReadToken(token, tokens));
                else if (property.Name == "chat_template")
                    ReadTemplates(path, property.Value, sources);
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: text that holds half a surrogate pair.
            throw new InvalidDataException($"{path}: {exception.Message}; expected a tokenizer's configuration", exception);
        }
    }

    // A text, or an object with the text as "content".
    private static void ReadToken(JsonProperty property, Dictionary<string, string> tokens)
    {
        var value = property.Value;
        if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content))
            value = content;
        if (value.ValueKind == JsonValueKind.String)
            tokens[property.Name] = value.GetString()!;
    }

    private static void ReadTemplates(string path, JsonElement value, Dictionary<string, (string, string)> sources)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Null:
                break;
            case JsonValueKind.String:
                sources["default"] = (path, value.GetString()!);
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                {
                    if (
                        item.ValueKind != JsonValueKind.Object
                        || !item.TryGetProperty("name", out var name)
                        || name.ValueKind != JsonValueKind.String
                        || !item.TryGetProperty("template", out var template)
                        || template.ValueKind != JsonValueKind.String
                    )
                        throw new InvalidDataException(
                            $"{path}: an entry of \"chat_template\" is {Shortened(item)}, expected an object with the strings "
                                + "\"name\" and \"template\""
                        );
                    sources[name.GetString()!] = (path, template.GetString()!);
                }

                break;
            default:
                throw new InvalidDataException(
                    $"{path}: \"chat_template\" is {Shortened(value)}, expected a string or a list of named templates"
                );
        }
    }

    private static string Shortened(JsonElement element) =>
        element.GetRawText() is { Length: > 60 } text ? text[..60] + "..." : element.GetRawText();

    private static JinjaTemplate Parse(string path, string source)
    {
        try
        {
            return JinjaTemplate.Parse(source);
        }
        catch (TemplateException exception)
        {
            throw new InvalidDataException($"{path}: {exception.Message}", exception);
        }
    }
}
