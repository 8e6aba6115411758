namespace PostTrain.Text.HuggingFace;

/// <summary>Matches the text between the matches of another pattern.</summary>
internal sealed class InvertedPattern(TextPattern pattern) : TextPattern
{
    internal override void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int first = matches.Count;
        pattern.Find(text, matches);
        for (int i = first; i < matches.Count; i++)
            matches[i] = matches[i] with { Found = !matches[i].Found };
    }
}
