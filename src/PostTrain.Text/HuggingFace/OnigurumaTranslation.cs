namespace PostTrain.Text.HuggingFace;

/// <summary>An expression of Oniguruma's in .NET's language.</summary>
/// <param name="Pattern">The expression.</param>
/// <param name="Literals">The ranges of characters that it names, rather than by class.</param>
internal sealed record OnigurumaTranslation(string Pattern, IReadOnlyList<(char First, char Last)> Literals)
{
    internal bool Names(char character) => Literals.Any(range => character >= range.First && character <= range.Last);
}
