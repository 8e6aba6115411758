using System.Buffers;
using System.Globalization;

namespace PostTrain.Rewards.Answers;

internal sealed partial class AnswerParser
{
    private static readonly SearchValues<char> Mathematics = SearchValues.Create("0123456789+-*/^\\");

    private static readonly string[] Functions =
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "ln",
        "log",
        "exp",
    ];

    private static readonly string[] Greek =
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "theta",
        "lambda",
        "mu",
        "rho",
        "sigma",
        "tau",
        "phi",
        "omega",
    ];

    private AnswerSum? Atom(bool isFirst)
    {
        if (!Afford() || AtEnd)
            return null;
        var character = text[position];
        if (char.IsAsciiDigit(character) || character == '.')
            return Number(isFirst);
        if (character is '(' or '{')
            return Group(character == '(' ? ")" : "}");
        if (character == '\\')
            return Command();
        if (character == '|')
            return Absolute();
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

        if (Functions.Contains(name))
            return Applied(name);
        return Greek.Contains(name) ? Symbol(name) : null;
    }

    private AnswerSum? Absolute()
    {
        position++;
        brackets++;
        bars++;
        var sum = Expression();
        brackets--;
        bars--;
        SkipSpaces();
        return sum is not null && Accept("|") ? AnswerAlgebra.Absolute(sum) : null;
    }

    // \sin x, \sin^2(x), \log_2 8; \sin^{-1} x is the inverse.
    private AnswerSum? Applied(string name)
    {
        SkipSpaces();
        AnswerSum? @base = null,
            exponent = null;
        if (name == "log" && Accept("_") && (@base = Argument()) is null)
            return null;
        if (Accept("^") && (exponent = Exponent()) is null)
            return null;
        SkipSpaces();
        if (AtEnd)
            return null;
        if (exponent?.Number is { } power && power == Rational.Of(-1))
            (name, exponent) = ("arc" + name, null);
        var argument = AppliedTo();
        if (@base is not null)
        {
            var logarithm = AnswerAlgebra.Logarithm(@base, argument);
            IsUnevaluated |= logarithm?.Number is not null;
            return exponent is null ? logarithm : algebra.Power(logarithm, exponent);
        }

        var value = algebra.Function(name, argument);
        return exponent is null ? value : algebra.Power(value, exponent);
    }

    // \sin 2x and \cos \pi x apply to the whole product, as does \sin 2x^2; \sin b \cos a is a product of two.
    private AnswerSum? AppliedTo()
    {
        if (At('('))
            return Atom(isFirst: false);
        var argument = Power(isFirst: false);
        var isFactor = argument is { Number: not null } or { Terms: [{ Powers: [{ Symbol.Name: "π" }] }] };
        while (isFactor && argument is not null)
        {
            var start = position;
            SkipSpaces();
            var isLetter = !AtEnd && (char.IsAsciiLetter(text[position]) || At('\\')) && BeginsFactor();
            if (isLetter && Accept("\\"))
                isLetter = Letters() is var name && (name == "pi" || Greek.Contains(name));
            position = isLetter ? AfterSpaces(start) : start;
            if (!isLetter || Power(isFirst: false) is not { } factor)
                return isLetter ? null : argument;
            argument = algebra.Multiply(argument, factor);
        }

        return argument;
    }

    private int AfterSpaces(int start)
    {
        position = start;
        SkipSpaces();
        return position;
    }

    // A letter or Greek letter with an optional subscript: x_1, a_{n-1}.
    private AnswerSum? Symbol(string name)
    {
        if (!At('_'))
            return AnswerSum.Of(name == "e" ? new AnswerSymbol("e", Math.E) : new AnswerSymbol(name, null));
        return Subscript() is { } subscript ? AnswerSum.Of(new AnswerSymbol($"{name}_{subscript}", null)) : null;
    }

    private string? Subscript()
    {
        position++;
        if (!At('{'))
            return position < text.Length && char.IsAsciiLetterOrDigit(text[position]) ? text[position++].ToString() : null;
        var end = text.IndexOf('}', position);
        if (end < 0 || text.AsSpan(position + 1, end - position - 1).Contains('{'))
            return null;
        var subscript = string.Concat(text[(position + 1)..end].Where(character => !AnswerText.IsSpace(character)));
        position = end + 1;
        return subscript;
    }

    private AnswerSum? Fraction()
    {
        if (++depth > MaximumDepth || Argument() is not { } numerator || Argument() is not { } denominator)
            return null;
        depth--;
        return Quotient(numerator, denominator);
    }

    private AnswerSum? Root()
    {
        if (++depth > MaximumDepth)
            return null;
        var degree = 2;
        if (Accept("["))
        {
            var end = text.IndexOf(']', position);
            if (
                end < 0
                || !int.TryParse(text.AsSpan(position, end - position), NumberStyles.None, CultureInfo.InvariantCulture, out degree)
                || degree is < 2 or > 12
            )
                return null;
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
        if (AtEnd)
            return null;
        if (At('{'))
            return Group("}");
        if (char.IsAsciiDigit(text[position]))
            return AnswerSum.Of(Rational.Of(text[position++] - '0'));
        return text[position] == '\\' ? Command()
            : char.IsAsciiLetter(text[position]) ? AnswerSum.Of(new AnswerSymbol(text[position++].ToString(), null))
            : null;
    }

    // Runs of one to three letters are a product of variables, read one at a time so that an exponent applies to the last one only. Longer
    // runs are words. A single e is Euler's number.
    private AnswerSum? Letter()
    {
        var start = position;
        while (start > 0 && char.IsAsciiLetter(text[start - 1]) && !IsCommand(start - 1))
            start--;
        var end = position;
        while (end < text.Length && char.IsAsciiLetter(text[end]))
            end++;
        var run = text.AsSpan(start, end - start);
        if (start == position)
        {
            position = end;
            if (run is "pi")
                return AnswerSum.Of(AnswerSymbol.Pi);
            if (run is "inf" or "infinity" or "Infinity" or "oo")
            {
                hasInfinity = true;
                return AnswerSum.Of(AnswerSymbol.Infinity);
            }

            if (run is "sqrt")
                return At('(') || At('{') ? Root() : null;
            if (Functions.Contains(run.ToString()))
                return At('(') ? Applied(run.ToString()) : null;
            position = start;
        }

        if (run.Length > 3 || (end < text.Length && text[end] == '\''))
            return null;
        if (run.Length > 1 && (IsWord(start) || !isAlgebra || IsEnglish(start, run)))
            return null;
        return Symbol(text[position++].ToString());
    }

    // "18 a day" is not a product; "ax + by" is.
    private bool IsEnglish(int start, ReadOnlySpan<char> run)
    {
        var before = start - 1;
        while (before >= 0 && AnswerText.IsSpace(text[before]))
            before--;
        return before >= 0 && before < start - 1 && char.IsLetterOrDigit(text[before]) && AnswerWords.IsShort(run);
    }

    private bool IsWord(int start) => start > 0 && text[start - 1] == AnswerText.Word;

    // Returns true if the letter at this place belongs to a command, such as \pi in "\pi r".
    private bool IsCommand(int letter)
    {
        while (letter > 0 && char.IsAsciiLetter(text[letter - 1]))
            letter--;
        return letter > 0 && text[letter - 1] == '\\';
    }

    private string Letters()
    {
        var start = position;
        while (position < text.Length && char.IsAsciiLetter(text[position]))
            position++;
        return text[start..position];
    }
}
