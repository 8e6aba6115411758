using PostTrain.Rewards.Answers;

namespace PostTrain.Rewards;

/// <summary>Says whether two answers are the same. Total, reflexive and symmetric; a parser of its own with bounded work, no code is ever
/// run.</summary>
/// <remarks>
/// Both texts are normalised (LaTeX spacing, <c>\left</c>, <c>\text{…}</c>, dollar signs, a full stop at the end). Equal texts are equal
/// answers. Else both are parsed: integers, thousands separators (in groups of three, outside brackets), decimals, <c>0.\overline{3}</c>,
/// exponents, fractions, mixed numbers, per cent (50% is 0.5), radicals, π, powers, products and sums of these and of variables, names
/// before <c>=</c>, equations and inequalities, units and currency, ratios, tuples, intervals, sets (also bare lists, <c>or</c>,
/// <c>\pm</c>, unions of intervals), matrices. Exact forms are compared exactly, as polynomials in roots and symbols with bounded
/// fractions; where one is written with decimals, |a − b| ≤ tolerance · max(|a|, |b|). Of <c>x = 2+3 = 5</c> the last part is the value.
/// Equations are compared up to a factor, an inequality of one variable as an interval. A unit that only one side names is left out. What
/// does not parse (words, statements, numbers beyond 4096 bits) is compared as text: white space between words only, words without regard
/// to case.
/// </remarks>
public static class AnswerEquivalence
{
    /// <summary>The default tolerance, 1e-6 relative.</summary>
    public const double DefaultTolerance = 1e-6;

    /// <summary>True when both are the same answer.</summary>
    /// <param name="left">One answer.</param>
    /// <param name="right">The other.</param>
    /// <param name="tolerance">The largest relative difference of equal numbers of which one is written with decimals, at least 0.</param>
    public static bool AreEquivalent(string left, string right, double tolerance = DefaultTolerance) =>
        Compare(left, right, tolerance, evaluated: false);

    /// <summary>True when the answer equals the reference and is not merely a computation with it as its result.</summary>
    /// <remarks>Not symmetric. For rewards: else a policy that is asked for 48 + 24 learns to answer <c>48+24</c>. An answer that adds,
    /// multiplies or raises plain numbers, is a fraction or root of a whole value, or multiplies out sums counts as computation, unless the
    /// reference is one as well.</remarks>
    /// <param name="answer">What was answered.</param>
    /// <param name="reference">The right answer.</param>
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
