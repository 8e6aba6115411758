namespace PostTrain.Rewards.Answers;

/// <summary>A parsed answer: an expression, or a tuple, set or matrix of expressions.</summary>
internal abstract record AnswerItem
{
    /// <summary>The name before <c>=</c>, from <see cref="AnswerName.Parse"/>; null if there is none, empty if it consists of
    /// words.</summary>
    internal string? Variable { get; init; }

    /// <summary>Returns true if the values are equal. Symmetric and reflexive.</summary>
    internal static bool AreEqual(AnswerItem a, AnswerItem b, double tolerance)
    {
        return (a, b) switch
        {
            (AnswerRelation x, AnswerRelation y) => AnswerRelation.AreEqual(x, y, tolerance),
            (AnswerRelation x, AnswerExpression y) => AnswerRelation.AreEqual(x, AnswerRelation.Of(y), tolerance),
            (AnswerExpression x, AnswerRelation y) => AnswerRelation.AreEqual(AnswerRelation.Of(x), y, tolerance),
            // y = x + 1 and x = y - 1
            (AnswerExpression x, AnswerExpression y) when !AnswerName.AreCompatible(x.Variable, y.Variable) => AnswerRelation.AreEqual(
                AnswerRelation.Of(x),
                AnswerRelation.Of(y),
                tolerance
            ),
            _ when !AnswerName.AreCompatible(a.Variable, b.Variable) => false,
            (AnswerExpression x, AnswerExpression y) => AreEqual(x, y, tolerance),
            (AnswerList x, AnswerList y) when x.IsSet && y.IsSet => Contains(x, y, tolerance) && Contains(y, x, tolerance),
            (AnswerList x, AnswerList y) => x.Opening == y.Opening
                && x.Closing == y.Closing
                && x.Items.Length == y.Items.Length
                && x.Items.Zip(y.Items).All(pair => AreEqual(pair.First, pair.Second, tolerance)),
            // {5} equals 5: "the solutions are" and "the solution is" may name a single number.
            (AnswerList { IsSet: true, Items: [var only] }, AnswerExpression y) => AreEqual(only, y, tolerance),
            (AnswerExpression x, AnswerList { IsSet: true, Items: [var only] }) => AreEqual(x, only, tolerance),
            _ => false,
        };
    }

    private static bool Contains(AnswerList set, AnswerList items, double tolerance) =>
        items.Items.All(item => set.Items.Any(other => AreEqual(item, other, tolerance)));

    private static bool AreEqual(AnswerExpression a, AnswerExpression b, double tolerance)
    {
        if (!AnswerUnit.AreCompatible(a.Unit, b.Unit))
            return false;
        if (a.Sum.HasSameTerms(b.Sum))
            return true;
        var isRounded = a.IsDecimal || b.IsDecimal;
        if (a.Sum.Number is { } first && b.Sum.Number is { } second)
            return isRounded && Rational.AreClose(first, second, tolerance);
        if (isRounded && a.Sum.IsClose(b.Sum, tolerance))
            return true;
        if (a.Sum.ToDouble() is not { } x || b.Sum.ToDouble() is not { } y || !double.IsFinite(x) || !double.IsFinite(y))
            return false;
        // Two exact forms that no rule unifies, such as nested roots, may still be one number: they must agree up to rounding.
        return Math.Abs(x - y) <= (isRounded ? tolerance : 1e-13) * Math.Max(Math.Abs(x), Math.Abs(y));
    }
}
