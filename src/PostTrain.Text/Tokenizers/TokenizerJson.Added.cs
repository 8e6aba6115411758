using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Text.HuggingFace;

namespace PostTrain.Text;

/// <content>Tokens that are added to a vocabulary.</content>
public sealed partial class TokenizerJson
{
    private static readonly JsonSerializerOptions Layout = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Returns a tokenizer that has further tokens behind all ids of this one, which keep their meaning: for a model whose
    /// vocabulary grows (<c>Decoder.WithVocabulary</c>).</summary>
    /// <remarks>The tokens are <c>added_tokens</c> of the file, matched in the text as it is. They are not special: decoding spells
    /// them.</remarks>
    /// <param name="added">Tokens of at least one character, all different and none of them known.</param>
    /// <exception cref="ArgumentException">A token is empty, or known already.</exception>
    public TokenizerJson WithTokens(params IReadOnlyList<string> added)
    {
        ArgumentNullException.ThrowIfNull(added);
        var root = JsonNode.Parse(Files[FileName].Span)!.AsObject();
        if (root["added_tokens"] is not JsonArray list)
            root["added_tokens"] = list = [];
        for (var i = 0; i < added.Count; i++)
        {
            if (string.IsNullOrEmpty(added[i]))
                throw new ArgumentException($"added[{i}] is empty, expected a token", nameof(added));
            if (IdOf(added[i]) is not null || added.Take(i).Contains(added[i]))
                throw new ArgumentException($"added[{i}] is '{added[i]}', which is known already, expected a new token", nameof(added));
            list.Add(
                new JsonObject
                {
                    ["id"] = VocabularySize + i,
                    ["content"] = added[i],
                    ["single_word"] = false,
                    ["lstrip"] = false,
                    ["rstrip"] = false,
                    ["normalized"] = false,
                    ["special"] = false,
                }
            );
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(root, Layout);
        var files = new Dictionary<string, ReadOnlyMemory<byte>>(Files, StringComparer.Ordinal) { [FileName] = json };
        return new TokenizerJson(TokenizerPipeline.Parse(json, FileName), Config, files);
    }
}
