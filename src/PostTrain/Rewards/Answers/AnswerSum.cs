namespace PostTrain.Rewards.Answers;

/// <summary>A sum of nonzero terms with distinct keys, ordered by key: equal sums have equal terms.</summary>
internal sealed class AnswerSum
{
    private AnswerSum(AnswerTerm[] terms) => Terms = terms;

    internal AnswerTerm[] Terms { get; }

    internal static AnswerSum Zero { get; } = new([]);

    /// <summary>Adds terms, which may share keys; null if a coefficient grows too large.</summary>
    internal static AnswerSum? Of(IEnumerable<AnswerTerm> terms)
    {
        var sum = new SortedDictionary<string, AnswerTerm>(StringComparer.Ordinal);
        foreach (var term in terms)
        {
            if (!sum.TryGetValue(term.Key, out var other))
            {
                sum[term.Key] = term;
                continue;
            }

            if (Rational.Add(other.Coefficient, term.Coefficient) is not { } coefficient)
                return null;
            sum[term.Key] = term with { Coefficient = coefficient };
        }

        return new AnswerSum([.. sum.Values.Where(term => !term.Coefficient.IsZero)]);
    }

    internal static AnswerSum Of(Rational number) => number.IsZero ? Zero : new([AnswerTerm.Of(number)]);

    internal static AnswerSum Of(AnswerSymbol symbol) => new([new AnswerTerm(Rational.One, 1, [(symbol, 1)])]);

    /// <summary>The number; null if the sum holds roots or symbols.</summary>
    internal Rational? Number =>
        Terms.Length == 0 ? Rational.Zero
        : Terms.Length == 1 && Terms[0].IsRational ? Terms[0].Coefficient
        : null;

    internal bool HasSameTerms(AnswerSum other) =>
        Terms.Length == other.Terms.Length
        && Terms.Zip(other.Terms).All(pair => pair.First.Key == pair.Second.Key && pair.First.Coefficient == pair.Second.Coefficient);

    /// <summary>The parts of slope·x + offset, if the sum has this form with one variable x.</summary>
    internal (Rational Slope, string Name, Rational Offset)? Linear
    {
        get
        {
            var rest = Terms.Where(term => !term.IsRational).ToArray();
            return
                rest is [{ Powers: [{ Power: 1, Symbol: { Value: null } symbol }], Radicand.IsOne: true } term]
                && AnswerName.IsSymbol(symbol.Name)
                ? (term.Coefficient, symbol.Name, Terms.FirstOrDefault(other => other.IsRational)?.Coefficient ?? Rational.Zero)
                : null;
        }
    }

    /// <summary>Returns true if the keys are equal and the coefficients differ by rounding only.</summary>
    internal bool IsClose(AnswerSum other, double tolerance) =>
        Terms.Length == other.Terms.Length
        && Terms
            .Zip(other.Terms)
            .All(pair =>
                pair.First.Key == pair.Second.Key && Rational.AreClose(pair.First.Coefficient, pair.Second.Coefficient, tolerance)
            );

    /// <summary>Returns the value; null if a symbol has none.</summary>
    internal double? ToDouble()
    {
        double value = 0;
        foreach (var term in Terms)
        {
            if (term.ToDouble() is not { } number)
                return null;
            value += number;
        }

        return value;
    }

    public override string ToString() => string.Join('+', Terms.Select(term => $"{term.Coefficient}·{term.Key}"));
}
