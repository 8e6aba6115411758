using System.Globalization;
using System.Numerics;

namespace PostTrain.Rewards.Answers;

/// <summary>c·√n·Π s^k: a coefficient, the root of a square-free number, and powers of symbols ordered by name.</summary>
internal sealed record AnswerTerm(Rational Coefficient, BigInteger Radicand, (AnswerSymbol Symbol, int Power)[] Powers)
{
    /// <summary>The key; equal for terms that differ in their coefficient only.</summary>
    internal string Key { get; } =
        string.Join(
            '·',
            [
                Radicand.ToString(CultureInfo.InvariantCulture),
                .. Powers.Select(power => string.Create(CultureInfo.InvariantCulture, $"{power.Symbol.Name}^{power.Power}")),
            ]
        );

    internal static AnswerTerm Of(Rational coefficient) => new(coefficient, BigInteger.One, []);

    internal bool IsRational => Radicand.IsOne && Powers.Length == 0;

    /// <summary>Returns the value; null if a symbol has none.</summary>
    internal double? ToDouble()
    {
        var value = Coefficient.ToDouble() * Math.Sqrt((double)Radicand);
        foreach (var (symbol, power) in Powers)
        {
            if (symbol.Value is not { } number)
                return null;
            value *= Math.Pow(number, power);
        }

        return value;
    }
}
