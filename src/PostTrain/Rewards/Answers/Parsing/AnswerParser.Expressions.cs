using System.Buffers;

namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private AnswerSum? Expression()
    {
        if (!Afford() || ++depth > MaximumDepth)
            return null;
        SkipSpaces();
        // The sign belongs to the first term; a second sign is not valid.
        var sign = Sign();
        var sum = Term();
        if (sign is { } first && first < 0)
            sum = algebra.Negate(sum);
        while (sum is not null)
        {
            SkipSpaces();
            if (Sign() is not { } next)
                break;
            var term = Term();
            if (term is null)
                return null;
            IsUnevaluated |= sum.Number is not null && term.Number is not null;
            sum = algebra.Add(sum, next < 0 ? algebra.Negate(term) : term);
        }

        depth--;
        return sum;
    }

    // +1 or -1, or null if there is no sign.
    private int? Sign()
    {
        if (Accept("+"))
            return 1;
        if (Accept("-"))
            return -1;
        if (!AcceptCommand("\\pm"))
            return null;
        hasPlusMinus = true;
        return plusMinus;
    }

    private AnswerSum? Term()
    {
        SkipSpaces();
        var start = position;
        var product = Power(isFirst: true);
        while (product is not null)
        {
            SkipSpaces();
            var mark = position;
            if (Accept("*") || AcceptCommand("\\cdot") || AcceptCommand("\\times"))
            {
                if (Signed() is not { } factor)
                    return null;
                IsUnevaluated |= IsComputed(product, factor) && !IsScientific(start, mark);
                product = algebra.Multiply(product, factor);
            }
            else if (Accept("/") || AcceptCommand("\\div"))
            {
                if (Signed() is not { } divisor)
                    return null;
                product = Quotient(product, divisor);
            }
            else if (BeginsFactor())
            {
                if (Power(isFirst: false) is not { } factor)
                    return null;
                IsUnevaluated |= IsComputed(product, factor);
                product = algebra.Multiply(product, factor);
            }
            else
            {
                break;
            }
        }

        return product;
    }

    private AnswerSum? Signed()
    {
        SkipSpaces();
        var isNegative = Accept("-");
        SkipSpaces();
        return isNegative ? algebra.Negate(Power(isFirst: true)) : Power(isFirst: true);
    }

    // A fraction of whole numbers is a literal, unless its value is a whole number.
    private AnswerSum? Quotient(AnswerSum numerator, AnswerSum divisor)
    {
        var quotient = algebra.Divide(numerator, divisor);
        if (numerator.Number is { } top && divisor.Number is { } bottom)
            IsUnevaluated |= !top.IsInteger || !bottom.IsInteger || (quotient?.Number is { IsInteger: true } && !bottom.Numerator.IsOne);
        return quotient;
    }

    private static bool IsComputed(AnswerSum a, AnswerSum b) =>
        (a.Number is not null && b.Number is not null) || (a.Terms.Length > 1 && b.Terms.Length > 1);

    // d.ddd × 10^k: one number literal before the multiplication sign and a power of ten after it.
    private bool IsScientific(int start, int mark) =>
        text.AsSpan(start, mark - start).Trim().IndexOfAnyExcept(Digits) < 0
        && text.AsSpan(mark, position - mark).TrimStart("*\\cdotimes ").StartsWith("10^");

    private bool BeginsFactor()
    {
        if (AtEnd)
            return false;
        var start = position;
        var isSeparator = Word("or") || Word("and");
        position = start;
        if (isSeparator)
            return false;
        // A number after a letter or a number is a name or two numbers, not a product.
        if (char.IsAsciiDigit(text[position]) || text[position] == '.')
            return Before() is ')' or '}' or ']' && brackets == 0;
        return text[position] is '(' or '{'
            || (At('|') && bars == 0)
            || char.IsAsciiLetter(text[position])
            || (text[position] == '\\' && BeginsCommand());
    }

    private char Before()
    {
        var before = position - 1;
        while (before >= 0 && AnswerText.IsSpace(text[before]))
            before--;
        return before < 0 ? '\0' : text[before];
    }

    private bool BeginsCommand()
    {
        var start = position;
        var isOperator =
            AcceptCommand("\\pm") || AcceptCommand("\\cup") || AcceptCommand("\\in") || AcceptCommand("\\end") || Accept("\\}");
        position = start;
        return !isOperator;
    }

    private AnswerSum? Power(bool isFirst)
    {
        var start = position;
        var value = Atom(isFirst);
        while (value is not null && Accept("!"))
        {
            IsUnevaluated = true;
            value = AnswerAlgebra.Factorial(value);
        }

        if (value is null)
            return null;
        var end = position;
        SkipSpaces();
        if (!Accept("^"))
        {
            position = end;
            return value;
        }

        var exponent = Exponent();
        if (exponent is null)
            return null;
        var isTen = text.AsSpan(start).StartsWith("10^");
        IsUnevaluated |=
            (value.Number is not null && exponent.Number is not null && !isTen) || (value.Terms.Length > 1 && exponent.Number is not null);
        return algebra.Power(value, exponent);
    }

    private AnswerSum? Exponent()
    {
        if (!Afford() || ++depth > MaximumDepth)
            return null;
        SkipSpaces();
        AnswerSum? exponent;
        if (At('{') || At('('))
            exponent = Atom(isFirst: false);
        else if (Accept("-"))
            exponent = algebra.Negate(Atom(isFirst: false));
        else
            exponent = Atom(isFirst: false);
        // Right-associative: 2^3^2 = 2^9.
        if (exponent is not null && Accept("^"))
            exponent = algebra.Power(exponent, Exponent());
        depth--;
        return exponent;
    }
}
