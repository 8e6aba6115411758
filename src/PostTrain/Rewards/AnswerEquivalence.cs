namespace PostTrain.Rewards;

/// <summary>Says whether two answers are the same. Total, reflexive and symmetric; no expression is ever evaluated.</summary>
public static class AnswerEquivalence
{
    /// <summary>The default tolerance, 1e-6 relative.</summary>
    public const double DefaultTolerance = 1e-6;

    /// <summary>True when both texts are equal after normalising, or both are numbers of equal value.</summary>
    /// <remarks>Normalising trims, and removes dollar signs, LaTeX spacing, <c>\left</c>, <c>\right</c> and a full stop at the end.
    /// Numbers: sign, thousands separators (in groups of three), decimals, exponent, <c>a/b</c>, <c>\frac{a}{b}</c>, mixed <c>1 1/2</c>,
    /// and per cent, where 50% is 0.5. Two integers must be equal exactly, whatever their length; for other numbers |a − b| ≤ tolerance ·
    /// max(|a|, |b|). What is no number, or is too large for a double, is compared as text, with regard to case.</remarks>
    /// <param name="left">One answer.</param>
    /// <param name="right">The other.</param>
    /// <param name="tolerance">The largest relative difference of equal numbers, at least 0.</param>
    public static bool AreEquivalent(string left, string right, double tolerance = DefaultTolerance)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (!(tolerance >= 0))
            throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "tolerance must be at least 0");
        var (first, second) = (AnswerNumber.Normalize(left), AnswerNumber.Normalize(right));
        if (string.Equals(first, second, StringComparison.Ordinal))
            return true;
        if (AnswerNumber.Parse(first) is not { } a || AnswerNumber.Parse(second) is not { } b)
            return false;
        if (a.Integer is not null && b.Integer is not null)
            return string.Equals(a.Integer, b.Integer, StringComparison.Ordinal);
        return double.IsFinite(a.Value) && double.IsFinite(b.Value)
            && Math.Abs(a.Value - b.Value) <= tolerance * Math.Max(Math.Abs(a.Value), Math.Abs(b.Value));
    }
}
