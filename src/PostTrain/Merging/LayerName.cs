using System.Globalization;
using System.Text.RegularExpressions;

namespace PostTrain.Merging;

/// <summary>A tensor's name taken apart at the number of its layer.</summary>
internal sealed partial record LayerName(string Head, int Layer, string Tail)
{
    /// <summary>The parts, or null where the name belongs to no layer.</summary>
    internal static LayerName? Of(string name)
    {
        var match = Pattern().Match(name);
        return
            match.Success && int.TryParse(match.Groups["layer"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var layer)
            ? new LayerName(match.Groups["head"].Value, layer, match.Groups["tail"].Value)
            : null;
    }

    /// <summary>The name of the same part of another layer.</summary>
    internal string At(int layer) => string.Create(CultureInfo.InvariantCulture, $"{Head}{layer}{Tail}");

    /// <summary>Whether a tensor outside the layers stands before them: token and position embeddings.</summary>
    internal static bool IsBefore(string name) =>
        name.Contains("embed", StringComparison.Ordinal)
        || name.EndsWith("wte.weight", StringComparison.Ordinal)
        || name.EndsWith("wpe.weight", StringComparison.Ordinal);

    [GeneratedRegex(
        @"^(?<head>(.*\.)?(layers|h)\.)(?<layer>\d+)(?<tail>\..+)$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Pattern();
}
