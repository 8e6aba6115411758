namespace PostTrain.Rewards.Answers;

/// <summary>An equation or inequality without a value: a sum and its relation to 0.</summary>
/// <param name="Relation">One of = ≠ > ≥.</param>
/// <param name="Difference">The sum. Its sign matters for > and ≥ only; its scale never matters.</param>
/// <param name="IsDecimal">True if written with decimals, and so possibly rounded.</param>
internal sealed record AnswerRelation(char Relation, AnswerSum Difference, bool IsDecimal) : AnswerItem
{
    internal static AnswerRelation? Of(char relation, AnswerSum difference, bool isDecimal) =>
        difference.Terms.Length == 0 ? null : new AnswerRelation(relation, difference, isDecimal);

    /// <summary>Returns y = 2x + 1 as y - 2x - 1 = 0; null if the value has no name that may occur in a sum.</summary>
    internal static AnswerRelation? Of(AnswerExpression named)
    {
        if (named.Variable is not { Length: > 0 } name || !AnswerName.IsSymbol(name) || named.Unit is not null)
            return null;
        var algebra = new AnswerAlgebra();
        var symbol = AnswerSum.Of(new AnswerSymbol(name.TrimStart('\\'), null));
        return algebra.Add(symbol, algebra.Negate(named.Sum)) is { } difference ? Of('=', difference, named.IsDecimal) : null;
    }

    /// <summary>Returns true if one is a constant multiple of the other; a positive one for inequalities.</summary>
    internal static bool AreEqual(AnswerRelation? a, AnswerRelation? b, double tolerance)
    {
        if (a is null || b is null || a.Relation != b.Relation || a.Difference.Terms.Length != b.Difference.Terms.Length)
            return false;
        var (left, right) = (a.Difference.Terms, b.Difference.Terms);
        if (a.Relation is '>' or '≥' && left[0].Coefficient.Numerator.Sign != right[0].Coefficient.Numerator.Sign)
            return false;
        for (var i = 0; i < left.Length; i++)
        {
            if (
                left[i].Key != right[i].Key
                || Rational.Multiply(left[i].Coefficient, right[0].Coefficient) is not { } x
                || Rational.Multiply(right[i].Coefficient, left[0].Coefficient) is not { } y
                || (x != y && !((a.IsDecimal || b.IsDecimal) && Rational.AreClose(x, y, tolerance)))
            )
                return false;
        }

        return true;
    }
}
