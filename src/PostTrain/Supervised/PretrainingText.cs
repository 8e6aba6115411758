using PostTrain.Data.Batches;
using PostTrain.Numerics;
using PostTrain.Text;

namespace PostTrain.Supervised;

/// <summary>Texts cut into pieces for continued pre-training.</summary>
public static class PretrainingText
{
    /// <summary>Tokenizes texts and cuts each into pieces of at most <paramref name="length"/> tokens. A piece begins with the last token
    /// of
    /// the one before, so that every token but a text's first is predicted exactly once.</summary>
    /// <param name="texts">The texts. One with fewer than two tokens gives no piece.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="length">Tokens of a piece, at least 2; the model's context length at most.</param>
    /// <param name="appendEndOfSequence">True, the default, if a text ends with the tokenizer's end token, where it has one.</param>
    /// <returns>The pieces of the first text, then those of the second, and so on; all their tokens are learnt.</returns>
    public static IReadOnlyList<TokenExample> Pieces(
        IEnumerable<string> texts,
        ITokenizer tokenizer,
        int length,
        bool appendEndOfSequence = true
    )
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(tokenizer);
        Guard.AtLeast(length, 2, nameof(length));
        var pieces = new List<TokenExample>();
        foreach (var text in texts)
        {
            int[] ids = tokenizer.Encode(text);
            if (appendEndOfSequence && tokenizer.EndOfSequenceId is { } end)
                ids = [.. ids, end];
            for (int start = 0; start + 1 < ids.Length; start += length - 1)
                pieces.Add(new TokenExample(ids[start..Math.Min(ids.Length, start + length)], 0));
        }
        return pieces;
    }
}
