namespace PostTrain.Text;

/// <summary>Turns ids that come one by one into text as soon as it is whole: a character whose bytes are spread over several tokens comes
/// with the last of them.</summary>
/// <remarks>What <see cref="Add"/> and <see cref="Flush"/> return, joined, is <c>Decode</c> of all ids. U+FFFD, which an unfinished
/// character decodes to, is held back until other text follows it or until <see cref="LongestWait"/> tokens have come without any; after
/// that long a run of bytes that are no UTF-8 the pieces may have more of them than <c>Decode</c> gives. Memory and time per id do not grow
/// with the length of the stream. One decoder is for one stream.</remarks>
/// <param name="tokenizer">Decodes the ids.</param>
public sealed class StreamingDecoder(ITokenizer tokenizer)
{
    /// <summary>The most tokens that are held back: 64.</summary>
    public const int LongestWait = 64;

    private readonly List<int> window = [];
    private string shown = "";
    private int context;

    /// <summary>Takes the next id.</summary>
    /// <param name="id">An id of the vocabulary.</param>
    /// <returns>The text that is whole now and was not before; often a token's text, sometimes empty.</returns>
    /// <exception cref="ArgumentException">The id is outside the vocabulary; the decoder is as it was.</exception>
    public string Add(int id)
    {
        window.Add(id);
        string text;
        try
        {
            text = tokenizer.Decode([.. window]);
        }
        catch (ArgumentException)
        {
            window.RemoveAt(window.Count - 1);
            throw;
        }

        int pending = window.Count - context;
        if (text == shown && pending == 1 && tokenizer.Decode([id, id]).Length == 0)
        {
            // A mark that adds no text, anywhere; a space that is dropped at a text's beginning is none.
            window.RemoveAt(window.Count - 1);
            return "";
        }

        bool whole = text.Length > 0 && text != shown && text[^1] != '\uFFFD';
        return whole || pending >= LongestWait ? Emit(text) : "";
    }

    /// <summary>Ends the stream: what was held back, an unfinished character as U+FFFD.</summary>
    /// <returns>The rest of the text; often empty. The decoder is ready for another stream.</returns>
    public string Flush()
    {
        var rest = window.Count > context ? Emit(tokenizer.Decode([.. window])) : "";
        window.Clear();
        (shown, context) = ("", 0);
        return rest;
    }

    // The new tokens become the context of the next ones: what a token decodes to depends on those before it.
    private string Emit(string text)
    {
        int[] fresh = [.. window.Skip(context)];
        var alone = tokenizer.Decode(fresh);
        var emitted = text.StartsWith(shown, StringComparison.Ordinal) ? text[shown.Length..] : alone;
        window.RemoveRange(0, context);
        (shown, context) = (alone, window.Count);
        return emitted;
    }
}
