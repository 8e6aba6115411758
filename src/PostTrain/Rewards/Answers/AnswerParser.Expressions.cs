using System.Buffers;
using System.Globalization;
using System.Numerics;

namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private const int MaximumDigits = 1300;

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private static readonly SearchValues<char> Mathematics = SearchValues.Create("0123456789+-*/^\\");

    private static readonly string[] Functions = ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "ln", "log", "exp"];

    private static readonly string[] Greek = ["alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "rho", "sigma", "tau", "phi", "omega"];

    private AnswerSum? Expression()
    {
        if (!Afford() || ++depth > MaximumDepth) return null;
        SkipSpaces();
        // The sign belongs to the first term; a second one is no mathematics.
        var sign = Sign();
        var sum = Term();
        if (sign is { } first && first < 0) sum = algebra.Negate(sum);
        while (sum is not null)
        {
            SkipSpaces();
            if (Sign() is not { } next) break;
            var term = Term();
            if (term is null) return null;
            IsUnevaluated |= sum.Number is not null && term.Number is not null;
            sum = algebra.Add(sum, next < 0 ? algebra.Negate(term) : term);
        }

        depth--;
        return sum;
    }

    // +1 or -1, or null where no sign stands.
    private int? Sign()
    {
        if (Accept("+")) return 1;
        if (Accept("-")) return -1;
        if (!AcceptCommand("\\pm")) return null;
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
                if (Signed() is not { } factor) return null;
                IsUnevaluated |= IsComputed(product, factor) && !IsScientific(start, mark);
                product = algebra.Multiply(product, factor);
            }
            else if (Accept("/") || AcceptCommand("\\div"))
            {
                if (Signed() is not { } divisor) return null;
                product = Quotient(product, divisor);
            }
            else if (BeginsFactor())
            {
                if (Power(isFirst: false) is not { } factor) return null;
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

    // A fraction of whole numbers is a number written down, unless it is a whole number itself.
    private AnswerSum? Quotient(AnswerSum numerator, AnswerSum divisor)
    {
        var quotient = algebra.Divide(numerator, divisor);
        if (numerator.Number is { } top && divisor.Number is { } bottom)
            IsUnevaluated |= !top.IsInteger || !bottom.IsInteger || (quotient?.Number is { IsInteger: true } && !bottom.Numerator.IsOne);
        return quotient;
    }

    private static bool IsComputed(AnswerSum a, AnswerSum b) =>
        (a.Number is not null && b.Number is not null) || (a.Terms.Length > 1 && b.Terms.Length > 1);

    // d.ddd × 10^k: one number literal before the sign of multiplication and a power of ten after it.
    private bool IsScientific(int start, int mark) =>
        text.AsSpan(start, mark - start).Trim().IndexOfAnyExcept(Digits) < 0
        && text.AsSpan(mark, position - mark).TrimStart("*\\cdotimes ").StartsWith("10^");

    private bool BeginsFactor()
    {
        if (AtEnd) return false;
        var start = position;
        var isSeparator = Word("or") || Word("and");
        position = start;
        if (isSeparator) return false;
        // A number after a letter or a number is a name or two numbers, not a product.
        if (char.IsAsciiDigit(text[position]) || text[position] == '.') return Before() is ')' or '}' or ']' && brackets == 0;
        return text[position] is '(' or '{' || char.IsAsciiLetter(text[position]) || (text[position] == '\\' && BeginsCommand());
    }

    private char Before()
    {
        var before = position - 1;
        while (before >= 0 && char.IsWhiteSpace(text[before])) before--;
        return before < 0 ? '\0' : text[before];
    }

    private bool BeginsCommand()
    {
        var start = position;
        var isOperator = AcceptCommand("\\pm") || AcceptCommand("\\cup") || AcceptCommand("\\in") || AcceptCommand("\\end") || Accept("\\}");
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

        if (value is null || !Accept("^")) return value;
        var exponent = Exponent();
        if (exponent is null) return null;
        var isTen = text.AsSpan(start).StartsWith("10^");
        IsUnevaluated |= (value.Number is not null && exponent.Number is not null && !isTen) || (value.Terms.Length > 1 && exponent.Number is not null);
        return algebra.Power(value, exponent);
    }

    private AnswerSum? Exponent()
    {
        if (!Afford() || ++depth > MaximumDepth) return null;
        SkipSpaces();
        AnswerSum? exponent;
        if (At('{') || At('(')) exponent = Atom(isFirst: false);
        else if (Accept("-")) exponent = algebra.Negate(Atom(isFirst: false));
        else exponent = Atom(isFirst: false);
        // To the right: 2^3^2 = 2^9.
        if (exponent is not null && Accept("^")) exponent = algebra.Power(exponent, Exponent());
        depth--;
        return exponent;
    }

    private AnswerSum? Atom(bool isFirst)
    {
        if (!Afford() || AtEnd) return null;
        var character = text[position];
        if (char.IsAsciiDigit(character) || character == '.') return Number(isFirst);
        if (character is '(' or '{') return Group(character == '(' ? ")" : "}");
        if (character == '\\') return Command();
        return char.IsAsciiLetter(character) ? Letter() : null;
    }

    private AnswerSum? Group(string closing)
    {
        position++;
        brackets++;
        var sum = Expression();
        brackets--;
        SkipSpaces();
        return sum is not null && Accept(closing) ? sum : null;
    }

    private AnswerSum? Command()
    {
        position++;
        var name = Letters();
        SkipSpaces();
        switch (name)
        {
            case "frac":
                return Fraction();
            case "sqrt":
                return Root();
            case "pi":
                return AnswerSum.Of(AnswerSymbol.Pi);
            case "infty":
                hasInfinity = true;
                return AnswerSum.Of(AnswerSymbol.Infinity);
        }

        if (Functions.Contains(name)) return Applied(name);
        return Greek.Contains(name) ? AnswerSum.Of(new AnswerSymbol(name, null)) : null;
    }

    private AnswerSum? Applied(string name)
    {
        SkipSpaces();
        return At('^') || At('_') ? null : AnswerAlgebra.Function(name, Atom(isFirst: false));
    }

    private AnswerSum? Fraction()
    {
        if (++depth > MaximumDepth || Argument() is not { } numerator || Argument() is not { } denominator) return null;
        depth--;
        return Quotient(numerator, denominator);
    }

    private AnswerSum? Root()
    {
        if (++depth > MaximumDepth) return null;
        var degree = 2;
        if (Accept("["))
        {
            var end = text.IndexOf(']', position);
            if (end < 0 || !int.TryParse(text.AsSpan(position, end - position), NumberStyles.None, CultureInfo.InvariantCulture, out degree) || degree is < 2 or > 12) return null;
            position = end + 1;
        }

        var radicand = At('(') ? Group(")") : Argument();
        depth--;
        var root = algebra.Root(radicand, degree);
        IsUnevaluated |= root?.Number is not null;
        return root;
    }

    // {...}, or a single digit, letter or command, as TeX reads \frac12.
    private AnswerSum? Argument()
    {
        SkipSpaces();
        if (AtEnd) return null;
        if (At('{')) return Group("}");
        if (char.IsAsciiDigit(text[position])) return AnswerSum.Of(Rational.Of(text[position++] - '0'));
        return text[position] == '\\' ? Command() : char.IsAsciiLetter(text[position]) ? AnswerSum.Of(new AnswerSymbol(text[position++].ToString(), null)) : null;
    }

    // Runs of one to three letters are a product of variables, read one at a time so that an exponent is the last one's alone; longer runs are
    // words. A single e is Euler's number.
    private AnswerSum? Letter()
    {
        var start = position;
        while (start > 0 && char.IsAsciiLetter(text[start - 1]) && !IsCommand(start - 1)) start--;
        var end = position;
        while (end < text.Length && char.IsAsciiLetter(text[end])) end++;
        var run = text.AsSpan(start, end - start);
        if (start == position)
        {
            position = end;
            if (run is "pi") return AnswerSum.Of(AnswerSymbol.Pi);
            if (run is "inf" or "infinity" or "Infinity" or "oo")
            {
                hasInfinity = true;
                return AnswerSum.Of(AnswerSymbol.Infinity);
            }

            if (run is "sqrt") return At('(') || At('{') ? Root() : null;
            if (Functions.Contains(run.ToString())) return At('(') ? Applied(run.ToString()) : null;
            position = start;
        }

        if (run.Length > 3 || (end < text.Length && text[end] is '_' or '\'') || (run.Length > 1 && !text.AsSpan().ContainsAny(Mathematics))) return null;
        var letter = text[position++];
        return AnswerSum.Of(letter == 'e' ? new AnswerSymbol("e", Math.E) : new AnswerSymbol(letter.ToString(), null));
    }

    // Whether the letter at this place belongs to a command, \pi in "\pi r".
    private bool IsCommand(int letter)
    {
        while (letter > 0 && char.IsAsciiLetter(text[letter - 1])) letter--;
        return letter > 0 && text[letter - 1] == '\\';
    }

    private string Letters()
    {
        var start = position;
        while (position < text.Length && char.IsAsciiLetter(text[position])) position++;
        return text[start..position];
    }

    private AnswerSum? Number(bool isFirst)
    {
        var start = position;
        if (Literal() is not { } number) return null;
        if (!isFirst || !number.IsInteger || text.AsSpan(start, position - start).ContainsAny('.', 'e', 'E')) return AnswerSum.Of(number);
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
            if (!Accept("/")) return null;
            SkipSpaces();
            if (Whole() is not { } denominator) return null;
            part = Rational.Of(numerator, denominator) is { } fraction ? AnswerSum.Of(fraction) : null;
            if (part is null) return null;
        }

        if (part?.Number is { Numerator.Sign: >= 0 } proper && Rational.Add(number, proper) is { } mixed) return AnswerSum.Of(mixed);
        (position, IsUnevaluated) = (after, unevaluated);
        return AnswerSum.Of(number);
    }

    private BigInteger? Whole()
    {
        var start = position;
        while (position < text.Length && char.IsAsciiDigit(text[position]) && position - start <= MaximumDigits) position++;
        return position == start || position - start > MaximumDigits ? null : BigInteger.Parse(text.AsSpan(start, position - start), NumberStyles.None, CultureInfo.InvariantCulture);
    }

    private bool IsThousands(int comma)
    {
        if (brackets > 0 || comma + 3 >= text.Length) return false;
        for (var i = comma + 1; i <= comma + 3; i++)
        {
            if (!char.IsAsciiDigit(text[i])) return false;
        }

        if (comma + 4 < text.Length && char.IsAsciiDigit(text[comma + 4])) return false;
        var first = comma;
        while (first > 0 && (char.IsAsciiDigit(text[first - 1]) || text[first - 1] == ',')) first--;
        var lead = text.AsSpan(first, comma - first);
        if (lead.IsEmpty || lead[0] is '0' or ',') return false;
        var head = lead.IndexOf(',') is var at and >= 0 ? at : lead.Length;
        return head <= 3 && (lead.Length - head) % 4 == 0 && !(first > 0 && text[first - 1] == '.');
    }

    // Digits with separators, decimals, repeating decimals, exponent.
    private Rational? Literal()
    {
        var digits = new System.Text.StringBuilder();
        while (position < text.Length && digits.Length <= MaximumDigits && (char.IsAsciiDigit(text[position]) || (text[position] == ',' && IsThousands(position))))
        {
            if (text[position] != ',') digits.Append(text[position]);
            position++;
        }

        var decimals = 0;
        var nonzero = false;
        var whole = digits.Length;
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

        if (digits.Length > MaximumDigits) return null;
        BigInteger repeating = 0;
        var period = 0;
        if (decimals + whole > 0 && whole < text.Length && Accept("\\overline{"))
        {
            var start = position;
            if (Whole() is not { } found || !Accept("}")) return null;
            (repeating, period) = (found, position - 1 - start);
        }

        if (digits.Length == 0) return null;
        var mantissa = BigInteger.Parse(digits.ToString(), NumberStyles.None, CultureInfo.InvariantCulture);
        var exponent = 0;
        if (period == 0 && position + 1 < text.Length && text[position] is 'e' or 'E' && Exponent10() is { } power) exponent = power;
        if (Math.Abs(exponent) > MaximumDigits) return null;
        isDecimal |= nonzero || exponent < 0;
        var scale = exponent - decimals;
        var number = scale >= 0 ? Rational.Of(mantissa * BigInteger.Pow(10, scale), 1) : Rational.Of(mantissa, BigInteger.Pow(10, -scale));
        if (period == 0 || number is null) return number;
        // 0.1\overline{6} = 0.1 + 6/(9·10)
        return Rational.Of(repeating, (BigInteger.Pow(10, period) - 1) * BigInteger.Pow(10, decimals)) is { } tail ? Rational.Add(number.Value, tail) : null;
    }

    // e5, E-3; a lone e is left unread.
    private int? Exponent10()
    {
        var start = position++;
        var isNegative = At('-');
        if (At('-') || At('+')) position++;
        var digits = position;
        while (position < text.Length && char.IsAsciiDigit(text[position])) position++;
        if (position > digits && position - digits <= 6)
            return int.Parse(text.AsSpan(digits, position - digits), NumberStyles.None, CultureInfo.InvariantCulture) * (isNegative ? -1 : 1);
        if (position > digits) return int.MaxValue / 2;
        position = start;
        return null;
    }
}
