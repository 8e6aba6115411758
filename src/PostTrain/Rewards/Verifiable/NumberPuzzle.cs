using System.Globalization;
using System.Numerics;
using PostTrain.Rewards.Answers;

namespace PostTrain.Rewards;

/// <summary>A Countdown puzzle: reach the target from the numbers with + − * / and parentheses, each number once.</summary>
/// <remarks>Verified by a parser with exact fractions; no code is evaluated. <c>9**9**9</c> (which would hang eval), <c>7//2</c>,
/// <c>1e3</c>, <c>0b1</c>, names, calls, signs, powers and adjacent digits are all malformed.</remarks>
/// <param name="Numbers">The given numbers, each at least 0.</param>
/// <param name="Target">The target value.</param>
/// <param name="UseAll">True if every number must be used; otherwise any may be left out.</param>
public sealed record NumberPuzzle(IReadOnlyList<int> Numbers, long Target, bool UseAll = true)
{
    /// <summary>Maximum length of an expression in characters.</summary>
    public const int MaximumLength = 512;

    private const int MaximumDepth = 32;

    /// <summary>Verifies an expression. A final <c>= number</c> is allowed and must be its value.</summary>
    /// <param name="expression">For example <c>(25 - 5) * 4</c>; × ÷ and − are read as * / and -.</param>
    public PuzzleVerdict Judge(string expression)
    {
        ArgumentNullException.ThrowIfNull(expression);
        if (expression.Length > MaximumLength)
            return PuzzleVerdict.Malformed;
        var parts = expression.Replace('×', '*').Replace('÷', '/').Replace('\u2212', '-').Split('=');
        var reader = new Reader(parts[0]);
        var isDefined = reader.Read(out var value);
        if (!reader.IsWellFormed || parts.Length > 2)
            return PuzzleVerdict.Malformed;
        Rational? claimed = null;
        if (parts.Length == 2)
        {
            if (!long.TryParse(parts[1].Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
                return PuzzleVerdict.Malformed;
            claimed = Rational.Of(number, BigInteger.One);
        }

        if (!UsesGiven(reader.Used))
            return PuzzleVerdict.WrongNumbers;
        return isDefined && value == Rational.Of(Target, BigInteger.One)!.Value && (claimed is null || claimed.Value == value)
            ? PuzzleVerdict.Solved
            : PuzzleVerdict.WrongValue;
    }

    private bool UsesGiven(List<int> used)
    {
        var left = Numbers.ToList();
        return used.TrueForAll(left.Remove) && (!UseAll || left.Count == 0);
    }

    private sealed class Reader(string text)
    {
        private int position;
        private int depth;
        private bool isDefined = true;

        internal List<int> Used { get; } = [];

        internal bool IsWellFormed { get; private set; } = true;

        // Returns false if the value does not exist: a division by 0, or a fraction that exceeds the bound.
        internal bool Read(out Rational value)
        {
            value = Sum();
            IsWellFormed &= position == text.Length;
            return isDefined && IsWellFormed;
        }

        private Rational Sum()
        {
            if (++depth > MaximumDepth)
                return Malformed();
            var sum = Product();
            while (IsWellFormed && Next() is '+' or '-' && text[position++] is var sign)
            {
                var term = Product();
                sum = Defined(Rational.Add(sum, sign == '+' ? term : Defined(Rational.Multiply(term, Rational.Of(-1)))));
            }

            depth--;
            return sum;
        }

        private Rational Product()
        {
            var product = Atom();
            while (IsWellFormed && Next() is '*' or '/' && text[position++] is var sign)
            {
                var factor = Atom();
                product = Defined(
                    sign == '*'
                        ? Rational.Multiply(product, factor)
                        : Rational.Of(product.Numerator * factor.Denominator, product.Denominator * factor.Numerator)
                );
            }

            return product;
        }

        private Rational Atom()
        {
            if (!IsWellFormed)
                return Rational.Zero;
            if (Next() == '(')
            {
                position++;
                var inner = Sum();
                if (!IsWellFormed || Next() != ')')
                    return Malformed();
                position++;
                return inner;
            }

            var start = position;
            while (position < text.Length && char.IsAsciiDigit(text[position]))
                position++;
            if (!int.TryParse(text.AsSpan(start, position - start), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return Malformed();
            Used.Add(number);
            return Rational.Of(number);
        }

        private char Next()
        {
            while (position < text.Length && char.IsWhiteSpace(text[position]))
                position++;
            return position < text.Length ? text[position] : '\0';
        }

        private Rational Defined(Rational? value)
        {
            isDefined &= value is not null;
            return value ?? Rational.Zero;
        }

        private Rational Malformed()
        {
            IsWellFormed = false;
            return Rational.Zero;
        }
    }
}
