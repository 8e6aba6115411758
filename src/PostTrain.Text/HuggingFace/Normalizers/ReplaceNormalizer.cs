namespace PostTrain.Text.HuggingFace;

/// <summary>Replaces the matches of a pattern; the source of the replacement is the last replaced character.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    internal override AlignedText Apply(AlignedText text)
    {
        if (text.Text.Length == 0)
            return text;
        var matches = new List<Match>();
        pattern.Find(text.Text, matches);
        if (!matches.Exists(match => match.Found))
            return text;
        var output = new AlignedTextBuilder(text.Text.Length);
        foreach (var match in matches)
        {
            if (match.Found)
                output.Append(content, Last(text, match));
            else
                output.Append(text, match.Start, match.End - match.Start);
        }

        return output.Build();
    }

    private static (int, int) Last(AlignedText text, Match match)
    {
        int end = match.End;
        if (end == 0)
            return (text.Source(0).Start, text.Source(0).Start);
        int start = end > 1 && char.IsSurrogatePair(text.Text, end - 2) ? end - 2 : end - 1;
        return text.Source(start, end);
    }
}
