namespace PostTrain.Tool;

/// <summary>A curve in one line of text, made of the eighths of a block: ▁▂▃▅▆▇█.</summary>
public static class Sparkline
{
    private const string Blocks = "▁▂▃▄▅▆▇█";

    /// <summary>Draws <paramref name="values"/> in at most <paramref name="width"/> characters, from their lowest to their
    /// highest.</summary>
    /// <remarks>More values than characters are averaged in groups. A group with no finite value is a space; a flat curve stays
    /// low.</remarks>
    public static string Of(IReadOnlyList<double> values, int width)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegative(width);
        var groups = new double[Math.Min(width, values.Count)];
        for (var g = 0; g < groups.Length; g++)
        {
            int from = (int)((long)g * values.Count / groups.Length),
                to = (int)((g + 1L) * values.Count / groups.Length);
            groups[g] = Enumerable
                .Range(from, to - from)
                .Select(i => values[i])
                .Where(double.IsFinite)
                .DefaultIfEmpty(double.NaN)
                .Average();
        }

        var finite = groups.Where(double.IsFinite).DefaultIfEmpty(0).ToArray();
        var (min, range) = (finite.Min(), finite.Max() - finite.Min());
        return string.Concat(
            groups.Select(value =>
                !double.IsFinite(value) ? ' ' : Blocks[range > 0 ? (int)Math.Round((value - min) / range * (Blocks.Length - 1)) : 0]
            )
        );
    }
}
