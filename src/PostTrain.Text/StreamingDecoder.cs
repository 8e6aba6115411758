namespace PostTrain.Text;

/// <summary>Decodes a stream of ids into text. A character whose bytes are spread over several tokens is returned with the last of
/// them.</summary>
/// <remarks>The results of <see cref="Add"/> and <see cref="Flush"/>, joined, equal <c>Decode</c> of all ids. U+FFFD, the decoding of an
/// unfinished character, is held back until other text follows or until <see cref="LongestWait"/> tokens have come without any. After such
/// a long run of invalid UTF-8 the results may have more U+FFFD than <c>Decode</c> gives. Memory and time per id do not grow with the
/// length of the stream. Use one decoder per stream.</remarks>
/// <param name="tokenizer">Decodes the ids.</param>
public sealed class StreamingDecoder(ITokenizer tokenizer)
{
    /// <summary>Maximum number of tokens that are held back: 64.</summary>
    public const int LongestWait = 64;

    private readonly List<int> window = [];
    private string shown = "";
    private int context;

    /// <summary>Adds the next id.</summary>
    /// <param name="id">An id of the vocabulary.</param>
    /// <returns>The newly completed text; often a token's text, sometimes empty.</returns>
    /// <exception cref="ArgumentException">The id is outside the vocabulary; the decoder is unchanged.</exception>
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
            // An id that adds no text anywhere; a space removed at the beginning of a text is not one.
            window.RemoveAt(window.Count - 1);
            return "";
        }

        bool whole = text.Length > 0 && text != shown && text[^1] != '\uFFFD';
        return whole || pending >= LongestWait ? Emit(text) : "";
    }

    /// <summary>Ends the stream and returns the text that was held back, an unfinished character as U+FFFD.</summary>
    /// <returns>The rest of the text; often empty. The decoder can then be used for another stream.</returns>
    public string Flush()
    {
        var rest = window.Count > context ? Emit(tokenizer.Decode([.. window])) : "";
        window.Clear();
        (shown, context) = ("", 0);
        return rest;
    }

    // The new tokens become the context of the next ones: the decoding of a token depends on those before it.
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
