namespace PostTrain.Text.HuggingFace;

/// <summary>The added tokens of a file.</summary>
/// <remarks>As in the reference, a token that the model knows has the model's id and any other the next free one, whatever the file
/// says.</remarks>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly HashSet<int> special = [];
    private readonly Normalizer? normalizer;
    private readonly AddedTokenFinder? raw;
    private readonly AddedTokenFinder? normalized;

    private AddedVocabulary(IReadOnlyList<AddedToken> tokens, Normalizer? normalizer)
    {
        this.normalizer = normalizer;
        var byId = new Dictionary<int, AddedToken>();
        foreach (var token in tokens)
        {
            ids[token.Content] = token.Id;
            if (token.Special)
                special.Add(token.Id);
            byId[token.Id] = token;
        }

        Tokens = [.. byId.Values.OrderBy(token => token.Id).Select(token => (Spelling(token), token))];
        raw = Finder(false);
        normalized = Finder(true);
    }

    /// <summary>The tokens by id, each with the spelling that is matched and decoded: its text, normalised if requested.</summary>
    internal IReadOnlyList<(string Spelling, AddedToken Token)> Tokens { get; }

    internal static AddedVocabulary Read(TokenizerNode? node, TokenVocabulary vocabulary, Normalizer? normalizer)
    {
        var tokens = new List<AddedToken>();
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        int next = vocabulary.Count;
        foreach (var item in node?.Items() ?? [])
        {
            var content = item.Get("content").Text();
            if (content.Length == 0)
                continue;
            if (!known.TryGetValue(content, out int id))
            {
                id = vocabulary.IdOf(content) is var own and >= 0 ? own : next++;
                known[content] = id;
            }

            tokens.Add(AddedToken.Read(item, id));
        }

        return new AddedVocabulary(tokens, normalizer);
    }

    /// <summary>Returns the id of an added token, or −1.</summary>
    internal int IdOf(string content) => ids.GetValueOrDefault(content, -1);

    /// <summary>Returns true for the id of a special token, however it is spelled after normalisation.</summary>
    internal bool IsSpecial(int id) => special.Contains(id);

    /// <summary>Splits a text into added tokens and the normalised text between them.</summary>
    internal PieceList Split(string text)
    {
        var pieces = new PieceList();
        pieces.Add(new Piece(new AlignedText(text, null), 0, text.Length));
        if (raw is not null)
            pieces.Replace(raw.Split);
        if (normalizer is not null)
        {
            pieces.Replace(
                (piece, output) =>
                {
                    var changed = normalizer.Apply(piece.Cut());
                    output.Add(new Piece(changed, 0, changed.Text.Length));
                }
            );
        }

        if (normalized is not null)
            pieces.Replace(normalized.Split);
        return pieces;
    }

    private string Spelling(AddedToken token) =>
        token.Normalized && normalizer is not null ? normalizer.Apply(new AlignedText(token.Content, null)).Text : token.Content;

    private AddedTokenFinder? Finder(bool ofNormalized)
    {
        var wanted = Tokens.Where(entry => entry.Token.Normalized == ofNormalized && entry.Spelling.Length > 0).ToArray();
        return wanted.Length == 0 ? null : new AddedTokenFinder(wanted);
    }
}
