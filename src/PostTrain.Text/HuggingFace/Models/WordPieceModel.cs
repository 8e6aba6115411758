namespace PostTrain.Text.HuggingFace;

/// <summary>WordPiece (Schuster and Nakajima 2012; BERT): repeatedly takes the longest matching token; the unknown token if none
/// matches.</summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly string unknown;
    private readonly int longestWord;
    private readonly TokenVocabulary beginnings;
    private readonly TokenVocabulary continuations;

    private WordPieceModel(TokenVocabulary vocabulary, string unknown, string prefix, int longestWord)
    {
        beginnings = vocabulary;
        continuations = vocabulary.WithoutPrefix(prefix);
        this.unknown = unknown;
        this.longestWord = longestWord;
    }

    internal override TokenVocabulary Vocabulary => beginnings;

    internal static WordPieceModel From(TokenizerNode node) =>
        new(
            TokenVocabulary.Read(node.Get("vocab")),
            node.Find("unk_token")?.Text() ?? "[UNK]",
            node.Find("continuing_subword_prefix")?.Text() ?? "##",
            node.Find("max_input_chars_per_word")?.Integer(0, int.MaxValue) ?? 100
        );

    internal override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> output)
    {
        int characters = 0;
        foreach (char unit in piece)
            characters += char.IsLowSurrogate(unit) ? 0 : 1;
        int first = output.Count;
        for (int start = 0; start < piece.Length && characters <= longestWord; )
        {
            var tokens = start == 0 ? beginnings : continuations;
            int end = Math.Min(piece.Length, start + tokens.LongestToken),
                id = -1;
            for (; end > start; end--)
            {
                if (end < piece.Length && char.IsLowSurrogate(piece[end]))
                    continue;
                id = tokens.IdOf(piece[start..end]);
                if (id >= 0)
                    break;
            }

            if (id < 0)
                break;
            output.Add(new ModelToken(id, start, end));
            start = end;
        }

        if (output.Count > first && output[^1].End == piece.Length)
            return;
        output.RemoveRange(first, output.Count - first);
        output.Add(new ModelToken(WordLevelModel.UnknownId(beginnings, unknown), 0, piece.Length));
    }
}
