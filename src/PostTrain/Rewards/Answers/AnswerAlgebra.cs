using System.Globalization;
using System.Numerics;

namespace PostTrain.Rewards.Answers;

/// <summary>Exact sums, products, quotients, powers and roots of sums. Results are null if they would be too large or undefined, or if the
/// work limit of the answer is reached.</summary>
internal sealed partial class AnswerAlgebra
{
    private const int MaximumTerms = 64;
    private const int MaximumName = 512;
    private const int LargestFactor = 100_000;
    private int work = 4000;

    internal AnswerSum? Add(AnswerSum? a, AnswerSum? b) =>
        a is null || b is null || !Afford(a.Terms.Length + b.Terms.Length) ? null : Bounded(AnswerSum.Of(a.Terms.Concat(b.Terms)));

    internal AnswerSum? Negate(AnswerSum? a) => Multiply(a, AnswerSum.Of(Rational.Of(-1)));

    internal AnswerSum? Multiply(AnswerSum? a, AnswerSum? b)
    {
        if (a is null || b is null || !Afford(a.Terms.Length * b.Terms.Length))
            return null;
        var products = new List<AnswerTerm>(a.Terms.Length * b.Terms.Length);
        foreach (var left in a.Terms)
        {
            foreach (var right in b.Terms)
            {
                if (Product(left, right) is not { } product)
                    return null;
                products.Add(product);
            }
        }

        return Bounded(WithoutSquaredSines(products));
    }

    internal AnswerSum? Divide(AnswerSum? a, AnswerSum? b) => Multiply(a, Inverse(b));

    internal AnswerSum? Power(AnswerSum? value, AnswerSum? exponent)
    {
        if (value is null || exponent is null)
            return null;
        if (exponent.Number is { } number)
        {
            if (number.IsInteger)
                return BigInteger.Abs(number.Numerator) <= 10_000 ? Power(value, (int)number.Numerator) : Trivial(value, number);
            if (number.Denominator <= 12)
                return Power(Root(value, (int)number.Denominator), AnswerSum.Of(Rational.Of(number.Numerator, 1)!.Value));
        }

        return Opaque("power", [value, exponent], (x, y) => x > 0 ? Math.Pow(x, y) : double.NaN);
    }

    /// <summary>Returns the real root of this degree, 2 or more; the principal root if the degree is even.</summary>
    internal AnswerSum? Root(AnswerSum? value, int degree)
    {
        if (value is null || !Afford(1))
            return null;
        if (value.Number is not { } number)
            return Opaque($"root{degree}", [value], (x, _) => x < 0 ? double.NaN : Math.Pow(x, 1.0 / degree));
        var isNegative = number.Numerator.Sign < 0;
        if (isNegative && degree % 2 == 0)
            return null;
        var magnitude = BigInteger.Abs(number.Numerator);
        if (WholeRoot(magnitude, degree) is { } top && WholeRoot(number.Denominator, degree) is { } bottom)
            return Rational.Of(isNegative ? -top : top, bottom) is { } exact ? AnswerSum.Of(exact) : null;
        // √(p/q) = √(pq)/q
        if (degree == 2 && Square(magnitude * number.Denominator) is var (outside, radicand))
            return Rational.Of(outside, number.Denominator) is { } coefficient
                ? AnswerSum.Of([new AnswerTerm(coefficient, radicand, [])])
                : null;
        return Opaque($"root{degree}", [value], (x, _) => Math.CopySign(Math.Pow(Math.Abs(x), 1.0 / degree), x));
    }

    internal static AnswerSum? Factorial(AnswerSum? value)
    {
        if (value?.Number is not { IsInteger: true } number || number.Numerator < 0 || number.Numerator > 100)
            return null;
        var product = BigInteger.One;
        for (var k = 2; k <= number.Numerator; k++)
            product *= k;
        return Rational.Of(product, 1) is { } result ? AnswerSum.Of(result) : null;
    }

    private AnswerSum? Power(AnswerSum value, int exponent)
    {
        if (exponent < 0)
            return Inverse(Power(value, -exponent));
        if (value.Number is { } number)
            return number.Power(exponent) is { } power ? AnswerSum.Of(power) : null;
        var result = AnswerSum.Of(Rational.One);
        for (var i = 0; i < exponent; i++)
        {
            if (Multiply(result, value) is not { } next)
                return null;
            result = next;
        }

        return result;
    }

    private static AnswerSum? Trivial(AnswerSum value, Rational exponent) =>
        value.Number is not { IsInteger: true } number
        || BigInteger.Abs(number.Numerator) > 1
        || (number.IsZero && exponent.Numerator.Sign <= 0)
            ? null
        : number.Numerator >= 0 || exponent.Numerator.IsEven ? AnswerSum.Of(Rational.Of((int)BigInteger.Abs(number.Numerator)))
        : AnswerSum.Of(Rational.Of(-1));

    private AnswerSum? Inverse(AnswerSum? value)
    {
        if (value is null || value.Terms.Length == 0 || !Afford(1))
            return null;
        if (value.Terms is [var term])
        {
            // 1/(c√n s^k) = √n/(cn) s^-k
            return Rational.Of(term.Coefficient.Denominator, term.Coefficient.Numerator * term.Radicand) is { } coefficient
                ? AnswerSum.Of([new AnswerTerm(coefficient, term.Radicand, [.. term.Powers.Select(power => (power.Symbol, -power.Power))])])
                : null;
        }

        if (value.Terms is [{ Powers.Length: 0 } first, { Powers.Length: 0 } second])
        {
            // 1/(a + b) = (a - b)/(a² - b²), whose divisor is rational
            var conjugate = AnswerSum.Of([
                first,
                second with
                {
                    Coefficient = Rational.Multiply(second.Coefficient, Rational.Of(-1))!.Value,
                },
            ]);
            return Multiply(conjugate, Inverse(Multiply(value, conjugate)));
        }

        // Scaled so that the first coefficient is 1: 1/(2x+2) and (1/2)/(x+1) become equal.
        var scale = value.Terms[0].Coefficient.Inverse();
        if (scale is not { } factor || Multiply(value, AnswerSum.Of(factor)) is not { } scaled)
            return null;
        return Multiply(AnswerSum.Of(factor), Opaque("inverse", [scaled], (x, _) => 1 / x));
    }

    private static AnswerTerm? Product(AnswerTerm left, AnswerTerm right)
    {
        if (Rational.Multiply(left.Coefficient, right.Coefficient) is not { } coefficient)
            return null;
        // √a√b = g√((a/g)(b/g)) for square-free a and b with greatest common divisor g.
        var common = BigInteger.GreatestCommonDivisor(left.Radicand, right.Radicand);
        var radicand = left.Radicand / common * (right.Radicand / common);
        if (radicand.GetBitLength() > 256 || Rational.Multiply(coefficient, Rational.Of(common, 1)!.Value) is not { } scaled)
            return null;
        var powers = new SortedDictionary<string, (AnswerSymbol Symbol, int Power)>(StringComparer.Ordinal);
        foreach (var (symbol, power) in left.Powers.Concat(right.Powers))
        {
            var sum = power + (powers.TryGetValue(symbol.Name, out var other) ? other.Power : 0);
            if (Math.Abs(sum) > 10_000)
                return null;
            powers[symbol.Name] = (symbol, sum);
        }

        return new AnswerTerm(scaled, radicand, [.. powers.Values.Where(power => power.Power != 0)]);
    }

    // Returns the whole number whose power this is, or null.
    private static BigInteger? WholeRoot(BigInteger value, int degree)
    {
        if (value <= 1)
            return value;
        var (low, high) = (BigInteger.One, BigInteger.One << (int)(value.GetBitLength() / degree + 1));
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            if (BigInteger.Pow(middle, degree) <= value)
                low = middle;
            else
                high = middle - 1;
        }

        return BigInteger.Pow(low, degree) == value ? low : null;
    }

    // value = outside²·radicand with a square-free radicand; null if the factors are too large to find.
    private (BigInteger Outside, BigInteger Radicand)? Square(BigInteger value)
    {
        if (value > new BigInteger(LargestFactor) * LargestFactor || !Afford(100))
            return null;
        var rest = (long)value;
        long outside = 1,
            radicand = 1;
        for (long factor = 2; factor * factor <= rest; factor++)
        {
            while (rest % (factor * factor) == 0)
            {
                rest /= factor * factor;
                outside *= factor;
            }

            if (rest % factor != 0)
                continue;
            rest /= factor;
            radicand *= factor;
        }

        return (outside, radicand * rest);
    }

    private static AnswerSum? Bounded(AnswerSum? sum) => sum is null || sum.Terms.Length > MaximumTerms ? null : sum;

    private bool Afford(int cost) => (work -= Math.Max(1, cost)) >= 0;
}
