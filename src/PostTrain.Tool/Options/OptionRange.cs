using System.Globalization;

namespace PostTrain.Tool;

/// <summary>The range of a numeric command-line option. NaN is in no range.</summary>
/// <param name="Least">Least value.</param>
/// <param name="Most">Greatest value.</param>
/// <param name="ExcludesEnds">True if the ends are excluded.</param>
public sealed record OptionRange(double Least, double Most = double.MaxValue, bool ExcludesEnds = false)
{
    /// <summary>Finite numbers above 0, such as learning rates.</summary>
    public static OptionRange Positive { get; } = new(0, double.PositiveInfinity, ExcludesEnds: true);

    /// <summary>Finite numbers from a minimum on.</summary>
    public static OptionRange AtLeast(double least) => new(least);

    /// <summary>Numbers between two, both included.</summary>
    public static OptionRange Between(double least, double most) => new(least, most);

    /// <summary>Numbers from a minimum on, below a limit.</summary>
    public static OptionRange Below(double least, double limit) => new(least, limit) { ExcludesMost = true };

    /// <summary>True if the greatest value is excluded.</summary>
    public bool ExcludesMost { get; init; }

    /// <summary>Returns true if a number is in the range.</summary>
    public bool Holds(double value) =>
        ExcludesEnds ? value > Least && value < Most : value >= Least && (ExcludesMost ? value < Most : value <= Most);

    /// <summary>Returns the range in words.</summary>
    public override string ToString() =>
        (ExcludesEnds, Most >= double.MaxValue) switch
        {
            (true, true) => string.Create(CultureInfo.InvariantCulture, $"a finite number above {Least}"),
            (true, false) => string.Create(CultureInfo.InvariantCulture, $"a number between {Least} and {Most}, neither included"),
            (false, true) => string.Create(CultureInfo.InvariantCulture, $"at least {Least}"),
            _ when ExcludesMost => string.Create(CultureInfo.InvariantCulture, $"at least {Least} and below {Most}"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{Least} to {Most}"),
        };
}
