namespace PostTrain.Text.HuggingFace;

/// <summary>A pattern for splitting and replacing.</summary>
internal abstract class TextPattern
{
    /// <summary>Covers a text with matches and the ranges between them, in order. Matches may be empty, ranges between them may
    /// not.</summary>
    internal abstract void Find(ReadOnlySpan<char> text, List<Match> matches);

    /// <summary>Reads an object {"String": ...} or {"Regex": ...}.</summary>
    internal static TextPattern Read(TokenizerNode node)
    {
        if (node.Find("String") is { } literal)
            return new LiteralPattern(literal.Text());
        if (node.Find("Regex") is { } regex)
            return RegexPattern.From(regex);
        throw new InvalidDataException($"{node.Place} has neither String nor Regex, expected one of them");
    }
}
