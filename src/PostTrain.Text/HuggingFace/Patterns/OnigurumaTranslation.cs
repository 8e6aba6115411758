namespace PostTrain.Text.HuggingFace;

/// <summary>An Oniguruma expression translated to .NET.</summary>
/// <param name="Pattern">The expression.</param>
/// <param name="Literals">The character ranges that it names literally, not by class.</param>
internal sealed record OnigurumaTranslation(string Pattern, IReadOnlyList<(char First, char Last)> Literals)
{
    internal bool Names(char character) => Literals.Any(range => character >= range.First && character <= range.Last);
}
