namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private const int MaximumSides = 16;

    // One side of a relation: a value if it parses as one, a name if it looks like one.
    private readonly record struct Side(AnswerItem? Value, string Text, bool IsUnevaluated)
    {
        internal string? Name { get; } = AnswerName.Parse(Text);

        internal AnswerSum? Sum => Value is AnswerExpression { Unit: null } expression ? expression.Sum : null;
    }

    private AnswerItem? Item()
    {
        if (!Afford() || ++depth > MaximumDepth)
            return null;
        var before = IsUnevaluated;
        List<Side> sides = [];
        var relations = "";
        while (true)
        {
            if (sides.Count == MaximumSides)
                return null;
            sides.Add(ReadSide());
            SkipSpaces();
            if (AtEnd || !Relations.Contains(text[position]))
                break;
            relations += text[position++];
        }

        depth--;
        IsUnevaluated = before;
        if (relations.Length == 0)
            return Chosen(sides[0], null);
        if (!relations.AsSpan().ContainsAnyExcept("=≈∈"))
            return Equality(sides, relations);
        hasInequality = true;
        return relations.Length <= 2 ? Inequality(sides, relations) : null;
    }

    private Side ReadSide()
    {
        SkipSpaces();
        var (start, before, open, within) = (position, depth, brackets, bars);
        IsUnevaluated = false;
        var value = Quantity() ?? Bracketed(start);
        if (value is AnswerExpression && At(':'))
            value = Ratio(value);
        if (value is null || !Ending())
        {
            value = null;
            (depth, brackets, bars) = (before, open, within);
            position = SideEnd(start);
        }

        return new Side(value, text[start..position], IsUnevaluated);
    }

    private AnswerItem? Chosen(Side side, string? name)
    {
        if (side.Value is null)
            return null;
        IsUnevaluated |= side.IsUnevaluated;
        return name is null ? side.Value : side.Value with { Variable = name };
    }

    // x = 2+3 = 5 is x = 5; x = 1/3 ≈ 0.33 is x = 1/3; 5 = x is x = 5. Without a name before = it is an equation, unless all sides are
    // numbers.
    private AnswerItem? Equality(List<Side> sides, string relations)
    {
        var last = sides.Count - 1;
        var approximation = relations.IndexOf('≈', StringComparison.Ordinal);
        var chosen = approximation > 0 ? approximation : last;
        var isReversed = approximation == 0 || (relations == "=" && sides[1].Name is not null);
        if (last == 1 && isReversed && sides[0].Name is null && sides[0].Value is not null)
            chosen = 0;
        var others = sides.Where((_, index) => index != chosen).ToArray();
        if (Array.Find(others, side => side.Name is not null).Name is { } name)
            return Chosen(sides[chosen], name);
        if (relations.Contains('∈', StringComparison.Ordinal))
            return null;
        var isLabelled = Array.TrueForAll(others, side => side.Text.Length == 0 || AnswerName.IsLabel(side.Text));
        if (isLabelled || sides.TrueForAll(side => side.Sum?.ToDouble() is not null))
            return Chosen(sides[chosen], null);
        if (relations != "=" || algebra.Add(sides[0].Sum, algebra.Negate(sides[1].Sum)) is not { } difference)
            return null;
        // x + 2 = 5 is not solved for x.
        IsUnevaluated |= difference.Linear is not null;
        return AnswerRelation.Of('=', difference, isDecimal);
    }

    // a < x is the interval (a, ∞), a < x ≤ b is (a, b]; others are a relation of a difference to 0.
    private AnswerItem? Inequality(List<Side> sides, string relations)
    {
        if (relations is "≠")
            return algebra.Add(sides[0].Sum, algebra.Negate(sides[1].Sum)) is { Number: null } distance
                ? AnswerRelation.Of('≠', distance, isDecimal)
                : null;
        if (relations.AsSpan().ContainsAnyExcept("<≤"))
        {
            if (relations.AsSpan().ContainsAnyExcept(">≥"))
                return null;
            sides.Reverse();
            relations = string.Concat(relations.Reverse().Select(relation => relation == '>' ? '<' : '≤'));
        }

        if (relations.Length == 2)
        {
            return sides[1].Name is { } middle && sides[0].Name is null && sides[2].Name is null
                ? Interval(sides[0], relations[0], sides[2], relations[1], middle)
                : null;
        }

        if (sides[1].Name is { } right && sides[0].Name is null)
            return Interval(sides[0], relations[0], null, '<', right);
        if (sides[0].Name is { } left && sides[1].Name is null)
            return Interval(null, '<', sides[1], relations[0], left);
        if (algebra.Add(sides[1].Sum, algebra.Negate(sides[0].Sum)) is not { Number: null } difference)
            return null;
        if (difference.Linear is not { } linear)
            return AnswerRelation.Of(relations == "<" ? '>' : '≥', difference, isDecimal);
        // c·x + d > 0
        IsUnevaluated |= !linear.Slope.IsUnit;
        if (
            Rational.Multiply(linear.Offset, Rational.Of(-1)) is not { } opposite
            || linear.Slope.Inverse() is not { } inverse
            || Rational.Multiply(opposite, inverse) is not { } bound
        )
            return null;
        var side = new Side(new AnswerExpression(AnswerSum.Of(bound), isDecimal, null), "", IsUnevaluated);
        return linear.Slope.Numerator.Sign > 0
            ? Interval(side, relations[0], null, '<', linear.Name)
            : Interval(null, '<', side, relations[0], linear.Name);
    }

    private AnswerList? Interval(Side? low, char afterLow, Side? high, char beforeHigh, string name)
    {
        var infinity = AnswerSum.Of(AnswerSymbol.Infinity);
        var from = low is { } left ? Chosen(left, null) : new AnswerExpression(algebra.Negate(infinity)!, false, null);
        var to = high is { } right ? Chosen(right, null) : new AnswerExpression(infinity, false, null);
        return from is AnswerExpression && to is AnswerExpression
            ? new AnswerList(afterLow == '≤' ? '[' : '(', beforeHigh == '≤' ? ']' : ')', [from, to]) { Variable = name }
            : null;
    }
}
