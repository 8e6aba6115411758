using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>Turns a piece into tokens: the "model" of a tokenizer's file.</summary>
internal abstract class TokenModel
{
    /// <summary>Ids by token.</summary>
    internal abstract TokenVocabulary Vocabulary { get; }

    /// <summary>Appends the tokens of a piece that is not empty.</summary>
    internal abstract void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> output);

    internal static TokenModel Read(TokenizerNode node)
    {
        // Files of the first versions name no type: only BPE has merges, only Unigram an array for a vocabulary.
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
