using PostTrain.Rewards.Answers;

namespace PostTrain.Rewards;

/// <summary>Compares two answers for mathematical equivalence. Total, reflexive and symmetric. Work is bounded and no code is
/// executed.</summary>
/// <remarks>
/// Both texts are normalised (LaTeX spacing, <c>\left</c>, <c>\text{…}</c>, dollar signs, a final full stop). Equal texts are equal
/// answers. Otherwise both are parsed: integers, thousands separators (in groups of three, outside brackets), decimals,
/// <c>0.\overline{3}</c>, exponents, fractions, mixed numbers, per cent (50% is 0.5), radicals, π, powers, products and sums of these and
/// of variables, names before <c>=</c>, equations and inequalities, units and currency, ratios, tuples, intervals, sets (also bare lists,
/// <c>or</c>, <c>\pm</c>, unions of intervals), matrices. Exact forms are compared exactly, as polynomials in roots and symbols with
/// bounded fractions. If one is written with decimals, |a − b| ≤ tolerance · max(|a|, |b|). The value of <c>x = 2+3 = 5</c> is its last
/// part. Equations are compared up to a factor, an inequality of one variable as an interval. A unit that only one side has is ignored.
/// Text that does not parse (words, statements, numbers beyond 4096 bits) is compared as text, ignoring case in words and white space other
/// than between words.
/// </remarks>
public static class AnswerEquivalence
{
    /// <summary>The default tolerance, 1e-6 relative.</summary>
    public const double DefaultTolerance = 1e-6;

    /// <summary>Returns true if both answers are equivalent.</summary>
    /// <param name="left">The first answer.</param>
    /// <param name="right">The second answer.</param>
    /// <param name="tolerance">Largest relative difference of equal numbers if one is written with decimals, at least 0.</param>
    public static bool AreEquivalent(string left, string right, double tolerance = DefaultTolerance) =>
        Compare(left, right, tolerance, evaluated: false);

    /// <summary>Returns true if the answer is equivalent to the reference and is not merely a computation of it.</summary>
    /// <remarks>Not symmetric. Meant for rewards: otherwise a policy asked for 48 + 24 learns to answer <c>48+24</c>. An answer counts as a
    /// computation if it adds, multiplies or raises plain numbers, is a fraction or root with a whole value, or multiplies out sums, unless
    /// the reference is a computation too.</remarks>
    /// <param name="answer">The given answer.</param>
    /// <param name="reference">The correct answer.</param>
    /// <param name="tolerance">As for <see cref="AreEquivalent"/>.</param>
    public static bool IsAnswer(string answer, string reference, double tolerance = DefaultTolerance) =>
        Compare(answer, reference, tolerance, evaluated: true);

    private static bool Compare(string left, string right, double tolerance, bool evaluated)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (!(tolerance >= 0) || double.IsInfinity(tolerance))
            throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "tolerance must be a finite number of at least 0");
        var (first, second) = (AnswerText.Normalize(left), AnswerText.Normalize(right));
        if (string.Equals(first, second, StringComparison.Ordinal))
            return true;
        if (
            AnswerParser.Parse(first, out var leftUnevaluated) is { } a
            && AnswerParser.Parse(second, out var rightUnevaluated) is { } b
            && AnswerItem.AreEqual(a, b, tolerance)
        )
            return !evaluated || !leftUnevaluated || rightUnevaluated;
        return string.Equals(AnswerText.Canonical(first), AnswerText.Canonical(second), StringComparison.Ordinal);
    }
}
