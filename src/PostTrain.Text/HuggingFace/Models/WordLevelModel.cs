namespace PostTrain.Text.HuggingFace;

/// <summary>A model with one token per piece, or the unknown token.</summary>
internal sealed class WordLevelModel(TokenVocabulary vocabulary, string unknown) : TokenModel
{
    internal override TokenVocabulary Vocabulary => vocabulary;

    internal static WordLevelModel From(TokenizerNode node) =>
        new(TokenVocabulary.Read(node.Get("vocab")), node.Find("unk_token")?.Text() ?? "<unk>");

    internal override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> output)
    {
        int id = vocabulary.IdOf(piece);
        output.Add(new ModelToken(id >= 0 ? id : UnknownId(vocabulary, unknown), 0, piece.Length));
    }

    internal static int UnknownId(TokenVocabulary vocabulary, string unknown) =>
        vocabulary.IdOf(unknown) is var id and >= 0
            ? id
            : throw new ArgumentException(
                $"text has a word that is not in the vocabulary, and neither is the unknown token '{unknown}'",
                nameof(unknown)
            );
}
