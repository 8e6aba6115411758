using System.Text.Json;
using System.Text.RegularExpressions;
using PostTrain.Text;
using PostTrain.Text.HuggingFace;
using static PostTrain.Models.Gguf.GgufVocabulary;

namespace PostTrain.Models.Gguf;

/// <summary>A <c>tokenizer.json</c> with byte-pair encoding as llama.cpp has it: on bytes with merges, or, with SentencePiece's spaces and
/// byte fallback, by scores.</summary>
internal static partial class GgufTokenizerJson
{
    /// <summary>SentencePiece's mark of a space, U+2581.</summary>
    internal const char Space = '\u2581';

    // The expressions that cut words, by llama.cpp's name.
    private static readonly (string Name, string Expression)[] Known =
    [
        (
            "llama-bpe",
            @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        ("qwen2", @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
        (
            "gpt-4o",
            @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
                + @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
                + @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
    ];

    internal static bool IsByte(string token) => ByteToken().IsMatch(token);

    internal static Table Read(string directory, TokenizerJson tokenizer, DecoderConfig config, string? preTokenizer)
    {
        var path = Path.Combine(directory, TokenizerJson.FileName);
        using var document = TokenizerDocument.Parse(File.ReadAllBytes(path), path);
        var root = new TokenizerNode(document.RootElement, path);
        var model = root.Get("model");
        if (model.Element.TryGetProperty("merges", out var mergeList) is false)
            throw new NotSupportedException($"{path}: the model is not byte-pair encoding, the only kind that is written as GGUF");
        var pieces = model.Flag("byte_fallback", false);
        var merges = Merges(mergeList);
        var added = Added(root, tokenizer);
        var tokens = Tokens(model, tokenizer, added, pieces);
        var ends = Ends(tokenizer);
        var end = tokenizer.EndOfSequenceId ?? config.EndOfSequenceIds.Select(id => (int?)id).FirstOrDefault();
        return new Table(pieces ? "llama" : "gpt2", pieces ? "default" : preTokenizer ?? PreTokenizer(root), tokens)
        {
            Merges = pieces ? null : [.. merges.Select(pair => $"{Marked(pair.Left)} {Marked(pair.Right)}")],
            Scores = pieces ? Scores(tokenizer, merges, tokens.Count) : null,
            Beginning = tokenizer.BeginningOfSequenceId ?? Within(config.BeginOfSequenceId, tokens),
            End = Within(end, tokens),
            Unknown = tokenizer.IdOf(tokenizer.Config.Unknown),
            Padding = tokenizer.IdOf(tokenizer.Config.Padding) ?? Within(config.PaddingId, tokens),
            AddsBeginning = ends.Beginning,
            AddsEnd = ends.End,
            SpaceInFront = !pieces || PutsSpaceInFront(tokenizer),
        };
    }

    private static int? Within(int? id, List<(string, TokenKind)> tokens) => id < tokens.Count ? id : null;

    // Added tokens by id, and whether they are special.
    private static Dictionary<int, (string Text, bool Special)> Added(TokenizerNode root, TokenizerJson tokenizer)
    {
        var added = new Dictionary<int, (string, bool)>();
        foreach (var item in root.Find("added_tokens")?.Items() ?? [])
        {
            var text = item.Get("content").Text();
            if (tokenizer.IdOf(text) is { } id)
                added[id] = (text, item.Flag("special", false));
        }

        return added;
    }

    private static List<(string Text, TokenKind Kind)> Tokens(
        TokenizerNode model,
        TokenizerJson tokenizer,
        Dictionary<int, (string Text, bool Special)> added,
        bool pieces
    )
    {
        var texts = new string?[tokenizer.VocabularySize];
        foreach (var entry in model.Get("vocab").Element.EnumerateObject())
            texts[entry.Value.GetInt32()] = entry.Name;
        var tokens = new List<(string, TokenKind)>(texts.Length);
        for (var id = 0; id < texts.Length; id++)
        {
            if (added.TryGetValue(id, out var special))
            {
                // A token that is text has real spaces, as it is looked for in the text before anything else.
                tokens.Add(special.Special ? (special.Text, TokenKind.Control) : (special.Text.Replace(Space, ' '), TokenKind.UserDefined));
            }
            else if (texts[id] is { } text)
            {
                tokens.Add((text, pieces && IsByte(text) ? TokenKind.Byte : TokenKind.Normal));
            }
            else
            {
                tokens.Add(($"[PAD{id}]", TokenKind.Unused));
            }
        }

        return tokens;
    }

    private static List<(string Left, string Right)> Merges(JsonElement list)
    {
        var merges = new List<(string, string)>();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.Array)
            {
                merges.Add((item[0].GetString()!, item[1].GetString()!));
                continue;
            }

            var text = item.GetString()!;
            var cut = text.IndexOf(' ', StringComparison.Ordinal);
            if (!text.StartsWith("#version", StringComparison.Ordinal))
                merges.Add((text[..cut], text[(cut + 1)..]));
        }

        return merges;
    }

    // Spaces within a token, which part the two of a merge in the file.
    private static string Marked(string token) => token.Replace(' ', '\u0120');

    // The earlier merge first: llama.cpp joins the neighbours whose joined token has the highest score.
    private static float[] Scores(TokenizerJson tokenizer, List<(string Left, string Right)> merges, int count)
    {
        var scores = new float[count];
        Array.Fill(scores, -merges.Count - 1f);
        for (var rank = merges.Count - 1; rank >= 0; rank--)
        {
            if (tokenizer.IdOf(merges[rank].Left + merges[rank].Right) is { } id)
                scores[id] = -rank - 1f;
        }

        return scores;
    }

    private static (bool Beginning, bool End) Ends(TokenizerJson tokenizer)
    {
        var ids = tokenizer.Encode("", addSpecialTokens: true);
        var begins = ids.Length > 0 && ids[0] == tokenizer.BeginningOfSequenceId;
        return (begins, ids.Length > (begins ? 1 : 0) && ids[^1] == tokenizer.EndOfSequenceId);
    }

    private static bool PutsSpaceInFront(TokenizerJson tokenizer) =>
        tokenizer.Encode("a", addSpecialTokens: false) is [var first, ..] && tokenizer.TokenOf(first) is [Space, ..];

    private static string PreTokenizer(TokenizerNode root)
    {
        var node = root.Find("pre_tokenizer");
        var steps = node?.Find("pretokenizers")?.Items().ToArray() ?? (node is { } single ? [single] : []);
        var types = steps.Select(step => step.Get("type").Text()).ToArray();
        var expressions = steps
            .Where(step => step.Get("type").Text() == "Split")
            .Select(step => step.Get("pattern").Find("Regex")?.Text())
            .ToArray();
        if (types is ["ByteLevel"] && steps[0].Flag("use_regex", true))
            return "gpt-2";
        if (types is ["Split", "ByteLevel"] && Known.FirstOrDefault(known => known.Expression == expressions[0]).Name is { } name)
            return name;
        if (types is ["Digits", "ByteLevel"] && steps[0].Flag("individual_digits", false))
            return "smollm";
        throw new NotSupportedException(
            $"{root.Place}: llama.cpp's name for this way of cutting words ({string.Join(", ", types)}) is not known here; "
                + $"give it as {nameof(GgufExportOptions.PreTokenizer)}, expected one of llama.cpp's such as "
                + string.Join(", ", Known.Select(known => known.Name))
                + ", gpt-2 and smollm"
        );
    }

    [GeneratedRegex("^<0x[0-9A-Fa-f]{2}>$", RegexOptions.CultureInvariant)]
    private static partial Regex ByteToken();
}
