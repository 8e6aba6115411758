using System.Buffers;
using System.Globalization;

namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
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
}
