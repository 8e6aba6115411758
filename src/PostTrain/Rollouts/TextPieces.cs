using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>The text of a growing sequence of tokens in pieces that never split a character.</summary>
internal sealed class TextPieces(ITokenizer tokenizer, int given = 0)
{
    private const char Replacement = '\uFFFD';
    private int given = given;

    /// <summary>What has become readable since the last call.</summary>
    /// <param name="tokens">All tokens so far.</param>
    /// <param name="last">Whether no more will come: then an incomplete end is given as the decoder gives it.</param>
    public string Next(ReadOnlySpan<int> tokens, bool last)
    {
        var text = tokenizer.Decode(tokens);
        var end = text.Length;
        // An incomplete character stands at the end as replacement characters, or as half a surrogate pair.
        while (!last && end > 0 && (text[end - 1] == Replacement || char.IsHighSurrogate(text[end - 1])))
            end--;
        if (end <= given)
            return "";
        var piece = text[given..end];
        given = end;
        return piece;
    }
}
