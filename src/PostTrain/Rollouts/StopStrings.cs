using PostTrain.Data.Text;

namespace PostTrain.Rollouts;

/// <summary>Finds stop strings in the text of a completion, wherever they fall into tokens.</summary>
internal sealed class StopStrings
{
    private readonly IReadOnlyList<string> texts;
    private readonly ITokenizer tokenizer;
    private readonly int longest;
    private readonly int[] lengths;

    /// <exception cref="ArgumentException">There is no tokenizer to decode with.</exception>
    public StopStrings(IReadOnlyList<string> texts, ITokenizer? tokenizer, int rows)
    {
        this.texts = texts;
        this.tokenizer = tokenizer ?? throw new ArgumentException("StopStrings are given and no tokenizer, expected one to decode with.", nameof(tokenizer));
        longest = texts.Max(text => text.Length);
        lengths = new int[rows];
    }

    /// <summary>Whether the last token of a row's completion has completed one.</summary>
    public bool Ends(int row, ReadOnlySpan<int> completion)
    {
        var text = tokenizer.Decode(completion);
        // A new match ends in what is new; a decoder may change a few characters before it, such as the mark of half a character.
        var start = Math.Clamp(lengths[row] - longest - 4, 0, text.Length);
        lengths[row] = text.Length;
        foreach (var stop in texts)
        {
            if (text.AsSpan(start).IndexOf(stop, StringComparison.Ordinal) >= 0)
                return true;
        }

        return false;
    }
}
