using System.Globalization;
using System.Numerics;
using System.Text;

namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private const int MaximumDigits = 1300;

    private AnswerSum? Number(bool isFirst)
    {
        var start = position;
        if (Literal() is not { } number)
            return null;
        // 204_5, a number in another base, is a symbol.
        if (At('_'))
        {
            var digits = text[start..position];
            return Subscript() is { } radix ? AnswerSum.Of(new AnswerSymbol($"{digits}_{radix}", null)) : null;
        }

        if (!isFirst || !number.IsInteger || text.AsSpan(start, position - start).ContainsAny('.', 'e', 'E'))
            return AnswerSum.Of(number);
        // A mixed number: 1 1/2 or 1\frac{1}{2}.
        var after = position;
        var unevaluated = IsUnevaluated;
        SkipSpaces();
        AnswerSum? part = null;
        if (AcceptCommand("\\frac"))
        {
            part = Fraction();
        }
        else if (position > after && position < text.Length && char.IsAsciiDigit(text[position]) && Whole() is { } numerator)
        {
            SkipSpaces();
            if (!Accept("/"))
                return null;
            SkipSpaces();
            if (Whole() is not { } denominator)
                return null;
            part = Rational.Of(numerator, denominator) is { } fraction ? AnswerSum.Of(fraction) : null;
            if (part is null)
                return null;
        }

        if (part?.Number is { Numerator.Sign: >= 0 } proper && Rational.Add(number, proper) is { } mixed)
            return AnswerSum.Of(mixed);
        (position, IsUnevaluated) = (after, unevaluated);
        return AnswerSum.Of(number);
    }

    private BigInteger? Whole()
    {
        var start = position;
        while (position < text.Length && char.IsAsciiDigit(text[position]) && position - start <= MaximumDigits)
            position++;
        if (position == start || position - start > MaximumDigits)
            return null;
        return BigInteger.Parse(text.AsSpan(start, position - start), NumberStyles.None, CultureInfo.InvariantCulture);
    }

    private bool IsThousands(int comma)
    {
        if (brackets > 0 || comma + 3 >= text.Length)
            return false;
        for (var i = comma + 1; i <= comma + 3; i++)
        {
            if (!char.IsAsciiDigit(text[i]))
                return false;
        }

        if (comma + 4 < text.Length && char.IsAsciiDigit(text[comma + 4]))
            return false;
        var first = comma;
        while (first > 0 && (char.IsAsciiDigit(text[first - 1]) || text[first - 1] == ','))
            first--;
        var lead = text.AsSpan(first, comma - first);
        if (lead.IsEmpty || lead[0] is '0' or ',')
            return false;
        var head = lead.IndexOf(',') is var at and >= 0 ? at : lead.Length;
        return head <= 3 && (lead.Length - head) % 4 == 0 && !(first > 0 && text[first - 1] == '.');
    }

    // Digits with separators, decimals, repeating decimals, exponent.
    private Rational? Literal()
    {
        var digits = new StringBuilder();
        while (
            position < text.Length
            && digits.Length <= MaximumDigits
            && (char.IsAsciiDigit(text[position]) || (text[position] == ',' && IsThousands(position)))
        )
        {
            if (text[position] != ',')
                digits.Append(text[position]);
            position++;
        }

        var decimals = 0;
        var nonzero = false;
        var hasPoint = digits.Length > 0 && At('.') && !text.AsSpan(position).StartsWith("..", StringComparison.Ordinal);
        if (At('.') && !text.AsSpan(position).StartsWith("..", StringComparison.Ordinal))
        {
            position++;
            while (position < text.Length && digits.Length <= MaximumDigits && char.IsAsciiDigit(text[position]))
            {
                nonzero |= text[position] != '0';
                digits.Append(text[position++]);
                decimals++;
            }
        }

        if (digits.Length > MaximumDigits)
            return null;
        BigInteger repeating = 0;
        var period = 0;
        if (hasPoint && RepetitionBegins(decimals))
        {
            if (Repetition() is not { } tail)
                return null;
            (repeating, period) = tail;
        }

        if (digits.Length == 0)
            return null;
        var mantissa = BigInteger.Parse(digits.ToString(), NumberStyles.None, CultureInfo.InvariantCulture);
        var exponent = 0;
        if (period == 0 && position + 1 < text.Length && text[position] is 'e' or 'E' && Exponent10() is { } power)
            exponent = power;
        if (Math.Abs(exponent) > MaximumDigits)
            return null;
        isDecimal |= nonzero || exponent < 0;
        var scale = exponent - decimals;
        var number = scale >= 0 ? Rational.Of(mantissa * BigInteger.Pow(10, scale), 1) : Rational.Of(mantissa, BigInteger.Pow(10, -scale));
        if (period == 0 || number is null)
            return number;
        // 0.1\overline{6} = 0.1 + 6/(9·10)
        return Rational.Of(repeating, (BigInteger.Pow(10, period) - 1) * BigInteger.Pow(10, decimals)) is { } rest
            ? Rational.Add(number.Value, rest)
            : null;
    }

    // e5, E-3; a lone e is left unread.
    private int? Exponent10()
    {
        var start = position++;
        var isNegative = At('-');
        if (At('-') || At('+'))
            position++;
        var digits = position;
        while (position < text.Length && char.IsAsciiDigit(text[position]))
            position++;
        if (position > digits && position - digits <= 6)
            return int.Parse(text.AsSpan(digits, position - digits), NumberStyles.None, CultureInfo.InvariantCulture)
                * (isNegative ? -1 : 1);
        if (position > digits)
            return int.MaxValue / 2;
        position = start;
        return null;
    }

    // 0.\overline{3}, 0.\bar 3, 0.\dot{1}4\dot{2}; 0.(3) only right after the point: 2.5(3) is a product.
    private bool RepetitionBegins(int decimals)
    {
        if (At('('))
            return decimals == 0;
        var start = position;
        var begins = AcceptCommand("\\overline") || AcceptCommand("\\bar") || AcceptCommand("\\dot");
        position = start;
        return begins;
    }

    private (BigInteger Digits, int Period)? Repetition()
    {
        var isDotted = AcceptCommand("\\dot");
        if (!isDotted && !AcceptCommand("\\overline"))
            AcceptCommand("\\bar");
        if (RepeatedDigits(isDotted) is not { } digits)
            return null;
        if (isDotted && !AtEnd && (char.IsAsciiDigit(text[position]) || At('\\')))
        {
            var start = position;
            while (position < text.Length && char.IsAsciiDigit(text[position]))
                position++;
            digits += text[start..position];
            if (AcceptCommand("\\dot"))
            {
                if (RepeatedDigits(isDotted) is not { } last)
                    return null;
                digits += last;
            }
            else if (position > start)
            {
                return null;
            }
        }

        return digits.Length > MaximumDigits
            ? null
            : (BigInteger.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture), digits.Length);
    }

    // {34}, (34) or one digit.
    private string? RepeatedDigits(bool isSingle)
    {
        SkipSpaces();
        var closing =
            Accept("{") ? "}"
            : Accept("(") ? ")"
            : "";
        var start = position;
        while (position < text.Length && char.IsAsciiDigit(text[position]) && (position == start || (closing.Length > 0 && !isSingle)))
            position++;
        var digits = text[start..position];
        return digits.Length > 0 && Accept(closing) ? digits : null;
    }
}
