using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Data;
using PostTrain.Text;
using PostTrain.Text.Files;

namespace PostTrain.Merging;

/// <summary>A <c>tokenizer.json</c>'s tokens, and its union with others by token: new tokens take the next ids, their merges follow the
/// file's own.</summary>
internal sealed class JsonVocabulary : ModelVocabulary
{
    private static readonly JsonSerializerOptions Layout = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // What decides how a text becomes pieces, and pieces a text.
    private static readonly string[] Steps = ["normalizer", "pre_tokenizer", "decoder"];

    private readonly string path;

    internal JsonVocabulary(string directory, TokenizerJson tokenizer)
        : base([.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.TokenOf(id) ?? $"\0{id}")]) =>
        path = Path.Combine(directory, TokenizerJson.FileName);

    internal override string Kind => "tokenizer.json";

    internal override string? WhyNotUnited(ModelVocabulary other)
    {
        if (other is not JsonVocabulary second)
            return base.WhyNotUnited(other);
        var (own, their) = (Root(), second.Root());
        foreach (var root in new[] { own, their })
        {
            if (root["model"]?["type"]?.GetValue<string>() != "BPE")
                return "a model is not byte-pair encoding";
        }

        if (Tokens.Concat(other.Tokens).FirstOrDefault(token => token.StartsWith('\0')) is not null)
            return "an id has no token";
        return Steps.FirstOrDefault(step => own[step]?.ToJsonString() != their[step]?.ToJsonString()) is { } different
                ? $"their {different} differs"
            : own["model"]!["byte_fallback"]?.ToJsonString() != their["model"]!["byte_fallback"]?.ToJsonString()
                ? "their byte_fallback differs"
            : null;
    }

    internal override void WriteUnion(string directory, IReadOnlyList<string> tokens, IReadOnlyList<ModelVocabulary> all)
    {
        var root = Root();
        var model = root["model"]!.AsObject();
        // A token that the model knows has the model's id: so the model knows all.
        model["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)JsonValue.Create(id))));
        var merges = model["merges"]!.AsArray();
        var known = merges.Select(Pair).ToHashSet();
        var added = (root["added_tokens"] as JsonArray) ?? [];
        var names = added.Select(item => item!["content"]!.GetValue<string>()).ToHashSet(StringComparer.Ordinal);
        foreach (var item in added)
            item!["id"] = Id(item["content"]!.GetValue<string>());
        foreach (var other in all.OfType<JsonVocabulary>().Where(vocabulary => vocabulary != this))
        {
            var their = other.Root();
            foreach (var merge in their["model"]!["merges"]!.AsArray().Where(merge => known.Add(Pair(merge))))
            {
                var (left, right) = Pair(merge);
                merges.Add(merges.FirstOrDefault() is JsonValue ? JsonValue.Create($"{left} {right}") : new JsonArray(left, right));
            }

            foreach (var item in their["added_tokens"] as JsonArray ?? [])
            {
                if (!names.Add(item!["content"]!.GetValue<string>()))
                    continue;
                var copy = item.DeepClone();
                copy["id"] = Id(item["content"]!.GetValue<string>());
                added.Add(copy);
            }
        }

        root["added_tokens"] = added.Parent is null ? added : root["added_tokens"];
        var target = Path.Combine(directory, TokenizerJson.FileName);
        AtomicFile.Write(target, stream => JsonSerializer.Serialize(stream, root, Layout));
        Check(target, tokens);

        int Id(string token) => ((List<string>)[.. tokens]).IndexOf(token);
    }

    // What was written is read as any user of it would.
    private static void Check(string path, IReadOnlyList<string> tokens)
    {
        var written = TokenizerJson.Load(path);
        for (var id = 0; id < tokens.Count; id++)
        {
            if (written.IdOf(tokens[id]) != id)
                throw new NotSupportedException(
                    $"{path}: the token '{tokens[id]}' of the union has the id {written.IdOf(tokens[id])}, expected {id}"
                );
        }
    }

    private static (string Left, string Right) Pair(JsonNode? merge)
    {
        if (merge is JsonArray pair)
            return (pair[0]!.GetValue<string>(), pair[1]!.GetValue<string>());
        var parts = merge!.GetValue<string>().Split(' ', 2);
        return (parts[0], parts.Length > 1 ? parts[1] : "");
    }

    private JsonObject Root() => JsonNode.Parse(BoundedFile.ReadBytes(path, 256 << 20, "a tokenizer in JSON"))!.AsObject();
}
