namespace PostTrain.Text.HuggingFace;

/// <summary>What pieces are split at and what is replaced in them.</summary>
internal abstract class TextPattern
{
    /// <summary>Covers a text with matches and what lies between them, in order; a match may be empty, what lies between is not.</summary>
    internal abstract void Find(ReadOnlySpan<char> text, List<Match> matches);

    /// <summary>The object {"String": ...} or {"Regex": ...}.</summary>
    internal static TextPattern Read(TokenizerNode node)
    {
        if (node.Find("String") is { } literal)
            return new LiteralPattern(literal.Text());
        if (node.Find("Regex") is { } regex)
            return RegexPattern.From(regex);
        throw new InvalidDataException($"{node.Place} has neither String nor Regex, expected one of them");
    }
}
