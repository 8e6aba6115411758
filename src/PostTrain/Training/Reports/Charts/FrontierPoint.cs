namespace PostTrain.Training.Reports;

/// <summary>A named point of a <see cref="FrontierChart"/> with its interval.</summary>
/// <param name="Name">The label; empty for none.</param>
/// <param name="X">The cost.</param>
/// <param name="Y">The value.</param>
/// <param name="Low">Lower end of the interval of the value; equal to <paramref name="Y"/> for none.</param>
/// <param name="High">Upper end of the interval of the value.</param>
/// <param name="Family">Points of one family have one colour and are joined by a line in the given order; empty for none.</param>
public sealed record FrontierPoint(string Name, double X, double Y, double Low, double High, string Family = "")
{
    /// <summary>Creates a point of a proportion, with its 95 % interval.</summary>
    public static FrontierPoint Of(string name, double x, Proportion share, string family = "")
    {
        ArgumentNullException.ThrowIfNull(share);
        var interval = share.Interval();
        return new FrontierPoint(name, x, share.Value, interval.Lower, interval.Upper, family);
    }
}
