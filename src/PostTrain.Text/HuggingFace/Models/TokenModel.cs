using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>Converts a piece to tokens: the "model" of a tokenizer's file.</summary>
internal abstract class TokenModel
{
    /// <summary>The vocabulary.</summary>
    internal abstract TokenVocabulary Vocabulary { get; }

    /// <summary>Appends the tokens of a nonempty piece.</summary>
    internal abstract void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> output);

    internal static TokenModel Read(TokenizerNode node)
    {
        // Files of the first versions have no type: only BPE has merges, only Unigram has an array as vocabulary.
        var kind =
            node.Find("type")?.Text()
            ?? (
                node.Find("merges") is not null ? "BPE"
                : node.Get("vocab").Element.ValueKind == JsonValueKind.Array ? "Unigram"
                : node.Find("continuing_subword_prefix") is not null ? "WordPiece"
                : "WordLevel"
            );
        return kind switch
        {
            "BPE" => BpeModel.From(node),
            "WordPiece" => WordPieceModel.From(node),
            "Unigram" => UnigramModel.From(node),
            "WordLevel" => WordLevelModel.From(node),
            _ => throw new InvalidDataException($"{node.Place} has the type {kind}, expected BPE, WordPiece, Unigram or WordLevel"),
        };
    }
}
