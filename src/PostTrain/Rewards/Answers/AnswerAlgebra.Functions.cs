namespace PostTrain.Rewards.Answers;

/// <content>Functions: symbols, unless a rule reduces them.</content>
internal sealed partial class AnswerAlgebra
{
    private const string Sine = "sin(";
    private const string Cosine = "cos(";

    /// <summary>Applies a function: tan, cot, sec and csc in terms of sin and cos, the others as symbols.</summary>
    internal AnswerSum? Function(string name, AnswerSum? argument) =>
        argument is null
            ? null
            : name switch
            {
                "tan" => Divide(Symbol("sin", argument), Symbol("cos", argument)),
                "cot" => Divide(Symbol("cos", argument), Symbol("sin", argument)),
                "sec" => Inverse(Symbol("cos", argument)),
                "csc" => Inverse(Symbol("sin", argument)),
                _ => Symbol(name, argument),
            };

    internal static AnswerSum? Absolute(AnswerSum argument) =>
        argument.Number is { } number
            ? AnswerSum.Of(number.Numerator.Sign < 0 ? Rational.Multiply(number, Rational.Of(-1))!.Value : number)
            : Opaque("abs", [argument], (x, _) => Math.Abs(x));

    /// <summary>Returns the logarithm to an explicit base, if it is a whole number.</summary>
    internal static AnswerSum? Logarithm(AnswerSum @base, AnswerSum? argument)
    {
        if (argument is null)
            return null;
        if (@base.Number is { } radix && argument.Number is { } number && radix.ToDouble() is > 0 and not 1 && number.Numerator.Sign > 0)
        {
            var exponent = Math.Round(Math.Log(number.ToDouble()) / Math.Log(radix.ToDouble()));
            if (Math.Abs(exponent) < 10_000 && radix.Power((int)exponent) == number)
                return AnswerSum.Of(Rational.Of((int)exponent));
        }

        return Opaque("log", [@base, argument], (x, y) => Math.Log(y) / Math.Log(x));
    }

    private static AnswerSum? Symbol(string name, AnswerSum argument) =>
        Opaque(
            name,
            [argument],
            (x, _) =>
                name switch
                {
                    "sin" => Math.Sin(x),
                    "cos" => Math.Cos(x),
                    "arcsin" => Math.Asin(x),
                    "arccos" => Math.Acos(x),
                    "arctan" => Math.Atan(x),
                    "ln" => Math.Log(x),
                    "exp" => Math.Exp(x),
                    _ => double.NaN,
                }
        );

    private static AnswerSum? Opaque(string name, AnswerSum[] arguments, Func<double, double, double> function)
    {
        var text = $"{name}({string.Join(';', arguments.Select(argument => argument.ToString()))})";
        if (text.Length > MaximumName)
            return null;
        var values = arguments.Select(argument => argument.ToDouble()).ToArray();
        double? value = values.All(number => number is not null) ? function(values[0]!.Value, values[^1]!.Value) : null;
        return AnswerSum.Of(new AnswerSymbol(text, value is { } finite && double.IsFinite(finite) ? finite : null));
    }

    // Uses sin² = 1 - cos², so that sums that differ by this identity have the same terms. Numbers need no rule.
    private AnswerSum? WithoutSquaredSines(List<AnswerTerm> terms)
    {
        for (var i = 0; i < terms.Count; i++)
        {
            var index = Array.FindIndex(
                terms[i].Powers,
                power => power.Power > 1 && power.Symbol.Value is null && power.Symbol.Name.StartsWith(Sine, StringComparison.Ordinal)
            );
            if (index < 0)
                continue;
            if (!Afford(1) || terms.Count > MaximumTerms * MaximumTerms)
                return null;
            var (sine, power) = terms[i].Powers[index];
            var powers = terms[i]
                .Powers.Select((other, at) => at == index ? (Symbol: sine, Power: power - 2) : other)
                .Where(other => other.Power != 0);
            var rest = new AnswerTerm(terms[i].Coefficient, terms[i].Radicand, [.. powers]);
            var squaredCosine = new AnswerTerm(Rational.Of(-1), 1, [(new AnswerSymbol(Cosine + sine.Name[Sine.Length..], null), 2)]);
            if (Product(rest, squaredCosine) is not { } product)
                return null;
            terms[i--] = rest;
            terms.Add(product);
        }

        return AnswerSum.Of(terms);
    }
}
