namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private const int MaximumTries = 8;

    // An expression with an optional suffix.
    private AnswerExpression? Quantity()
    {
        var (start, before) = (position, (depth, brackets, bars, IsUnevaluated));
        // Units first: 5 cm is not a product of variables.
        var end = SideEnd(start);
        var tries = 0;
        for (var cut = start + 1; cut < end && tries < MaximumTries; cut++)
        {
            if (!BeginsUnit(cut))
                continue;
            tries++;
            if (Suffixed(start, cut, end) is { } quantity)
                return quantity;
        }

        if (start < end && text[start] is '€' or '£' or '¥' or '₹')
            return Suffixed(start + 1, end, end, AnswerUnit.Parse(text.AsSpan(start, 1), true));
        (isDecimal, hasInfinity, isAlgebra) = (false, false, text.AsSpan(start, end - start).ContainsAny(Mathematics));
        if (Expression() is { } sum && Ending() && IsFiniteOrInfinity(sum))
            return new AnswerExpression(sum, isDecimal, null);
        (position, (depth, brackets, bars, IsUnevaluated)) = (start, before);
        return null;
    }

    private bool BeginsUnit(int cut) =>
        text[cut] is '%' or '°' or '¢' || (char.IsLetter(text[cut]) && text[cut - 1] != '\\' && !char.IsLetter(text[cut - 1]));

    private AnswerExpression? Suffixed(int start, int cut, int end, AnswerUnit? prefix = null)
    {
        ReadOnlySpan<char> suffix = text.AsSpan(cut, end - cut);
        var isMarked = text[cut - 1] == AnswerText.Word;
        var scale = prefix is null && AnswerUnit.IsPercent(suffix) ? -2 : 0;
        AnswerUnit? unit = prefix;
        if (prefix is null && scale == 0)
        {
            if (AnswerUnit.Scale(suffix) is { } large)
            {
                scale = large.Exponent;
                suffix = large.Unit;
            }

            // \text{apples} is a unit in any case; apples without a wrapper may be something else.
            if (suffix.Length > 0)
                unit = AnswerUnit.Parse(suffix, AnswerText.IsSpace(text[cut - 1])) ?? (isMarked ? AnswerUnit.Named(suffix) : null);
            if (suffix.Length > 0 && unit is null)
                return null;
        }

        var inner = new AnswerParser(text[start..cut])
        {
            brackets = brackets,
            work = work,
            plusMinus = plusMinus,
            isAlgebra = true,
        };
        var sum = inner.Expression();
        inner.SkipSpaces();
        work = inner.work;
        if (sum is null || !inner.AtEnd || inner.hasInfinity || sum.ToDouble() is null)
            return null;
        hasPlusMinus |= inner.hasPlusMinus;
        IsUnevaluated |= inner.IsUnevaluated;
        // 28% and 5 million are numbers.
        if (scale != 0)
            sum = algebra.Multiply(sum, AnswerSum.Of(Rational.Of(10).Power(scale)!.Value));
        position = end;
        return sum is null ? null : new AnswerExpression(sum, inner.isDecimal, unit);
    }

    private bool IsFiniteOrInfinity(AnswerSum sum) =>
        !hasInfinity
        || (
            sum.Terms is [{ Powers: [var only] } term]
            && only.Symbol.Name == AnswerSymbol.Infinity.Name
            && only.Power == 1
            && term.Radicand.IsOne
            && term.Coefficient.IsUnit
        );

    // 3:4, 12:00, 1:2:3; the order matters, and ratios are not reduced.
    private AnswerList? Ratio(AnswerItem first)
    {
        List<AnswerItem> parts = [first];
        while (Accept(":"))
        {
            SkipSpaces();
            if (parts.Count >= MaximumItems || Quantity() is not { } part)
                return null;
            parts.Add(part);
            SkipSpaces();
        }

        return new AnswerList(':', ':', [.. parts]);
    }
}
