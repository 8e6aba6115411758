namespace PostTrain.Text.HuggingFace;

/// <summary>The steps of a <c>tokenizer.json</c>.</summary>
internal sealed class TokenizerPipeline
{
    private readonly AddedVocabulary added;
    private readonly PreTokenizer? preTokenizer;
    private readonly TokenModel model;
    private readonly TokenDecoder? decoder;
    private readonly string?[] tokens;

    private TokenizerPipeline(TokenizerNode node)
    {
        var normalizer = node.Find("normalizer") is { } normalizing ? Normalizer.Read(normalizing) : null;
        preTokenizer = node.Find("pre_tokenizer") is { } splitting ? PreTokenizer.Read(splitting) : null;
        model = TokenModel.Read(node.Get("model"));
        added = AddedVocabulary.Read(node.Find("added_tokens"), model.Vocabulary, normalizer);
        PostProcessor = node.Find("post_processor") is { } finishing ? PostProcessor.Read(finishing) : null;
        decoder = node.Find("decoder") is { } decoding ? TokenDecoder.Read(decoding) : null;
        tokens = Table(node.Place);
        Check(node.Place);
    }

    internal PostProcessor? PostProcessor { get; set; }

    internal int VocabularySize => tokens.Length;

    internal static TokenizerPipeline Parse(ReadOnlyMemory<byte> json, string name)
    {
        using var document = TokenizerDocument.Parse(json, name);
        return new TokenizerPipeline(new TokenizerNode(document.RootElement, name));
    }

    /// <summary>Returns the id of a token, or −1.</summary>
    internal int IdOf(string token) => added.IdOf(token) is var id and >= 0 ? id : model.Vocabulary.IdOf(token);

    /// <summary>Returns a token as it is decoded; null if no token has the id.</summary>
    internal string? TokenOf(int id) => tokens[id];

    /// <summary>Encodes a text without the special tokens that a template adds.</summary>
    /// <param name="text">The text.</param>
    /// <param name="type">0 for the first text of a pair, 1 for the second.</param>
    /// <param name="offsets">True if the offsets are needed.</param>
    internal EncodedPart Encode(string text, int type, bool offsets)
    {
        text = Characters.WithoutLoneSurrogates(text);
        var pieces = added.Split(text);
        preTokenizer?.Apply(pieces);
        var ids = new List<int>(text.Length / 3);
        var sources = new List<(int, int)>();
        var texts = offsets && PostProcessor is { NeedsTexts: true } ? new List<string>() : null;
        var found = new List<ModelToken>();
        foreach (var piece in pieces.Items)
        {
            found.Clear();
            if (piece.Token >= 0)
                found.Add(new ModelToken(piece.Token, 0, piece.Length));
            else
                model.Tokenize(piece.Span, found);
            foreach (var token in found)
            {
                ids.Add(token.Id);
                if (!offsets)
                    continue;
                sources.Add(piece.Text.Source(piece.Start + token.Start, piece.Start + token.End));
                texts?.Add(piece.Token >= 0 ? piece.Span.ToString() : tokens[token.Id] ?? "");
            }
        }

        return new EncodedPart([.. ids], offsets ? [.. sources] : new (int, int)[ids.Count], texts is null ? [] : [.. texts], text, type);
    }

    /// <summary>Decodes ids, each within the vocabulary.</summary>
    internal string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var parts = new List<string>(ids.Length);
        foreach (int id in ids)
            if (tokens[id] is { } token && !(skipSpecialTokens && added.IsSpecial(id)))
                parts.Add(token);
        return decoder is null ? string.Join(' ', parts) : string.Concat(decoder.Apply(parts));
    }

    private string?[] Table(string place)
    {
        int highest = model
            .Vocabulary.Entries.Select(entry => entry.Value)
            .Concat(added.Tokens.Select(entry => entry.Token.Id))
            .DefaultIfEmpty(-1)
            .Max();
        TokenVocabulary.CheckDensity(place, highest, model.Vocabulary.Count + added.Tokens.Count);
        var table = new string?[highest + 1];
        foreach (var (token, id) in model.Vocabulary.Entries)
            table[id] = token;
        foreach (var (spelling, token) in added.Tokens)
            table[token.Id] = spelling;
        return table;
    }

    // The special tokens of a template must exist.
    private void Check(string place)
    {
        var empty = EncodedPart.Empty;
        foreach (var parts in new[] { PostProcessor?.Apply([empty], true), PostProcessor?.Apply([empty, empty], true) })
        foreach (int id in (parts ?? []).SelectMany(part => part.Ids))
            if (id >= tokens.Length)
                throw new InvalidDataException($"{place}.post_processor adds the id {id}, expected one below {tokens.Length}");
    }
}
