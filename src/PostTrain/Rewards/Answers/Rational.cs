using System.Numerics;

namespace PostTrain.Rewards.Answers;

/// <summary>An exact fraction of bounded size in lowest terms with a positive denominator. Operations return null if the result would
/// exceed the bound.</summary>
internal readonly record struct Rational
{
    /// <summary>Maximum number of bits of numerator and denominator; 1e999 needs 3,319.</summary>
    internal const int MaximumBits = 4096;

    private Rational(BigInteger numerator, BigInteger denominator) => (Numerator, Denominator) = (numerator, denominator);

    internal BigInteger Numerator { get; }

    internal BigInteger Denominator { get; }

    internal static Rational Zero { get; } = new(0, 1);

    internal static Rational One { get; } = new(1, 1);

    internal bool IsInteger => Denominator.IsOne;

    internal bool IsZero => Numerator.IsZero;

    /// <summary>True for 1 and -1.</summary>
    internal bool IsUnit => Denominator.IsOne && BigInteger.Abs(Numerator).IsOne;

    internal static Rational? Of(BigInteger numerator, BigInteger denominator)
    {
        if (denominator.IsZero || numerator.GetBitLength() > 2 * MaximumBits || denominator.GetBitLength() > 2 * MaximumBits)
            return null;
        var divisor = BigInteger.GreatestCommonDivisor(numerator, denominator) * denominator.Sign;
        var (top, bottom) = (numerator / divisor, denominator / divisor);
        return top.GetBitLength() > MaximumBits || bottom.GetBitLength() > MaximumBits ? null : new Rational(top, bottom);
    }

    internal static Rational Of(int number) => new(number, 1);

    internal static Rational? Add(Rational a, Rational b) =>
        Of(a.Numerator * b.Denominator + b.Numerator * a.Denominator, a.Denominator * b.Denominator);

    internal static Rational? Multiply(Rational a, Rational b) => Of(a.Numerator * b.Numerator, a.Denominator * b.Denominator);

    internal Rational? Inverse() => Of(Denominator, Numerator);

    /// <summary>Raises this to a whole power; null if the result is too large, or for 0 to a power of 0 or less.</summary>
    internal Rational? Power(int exponent)
    {
        if (exponent <= 0 && IsZero)
            return null;
        var bits = Math.Max(BigInteger.Abs(Numerator).GetBitLength(), Denominator.GetBitLength());
        // 1 and -1 stay small; others grow by at least one bit with every factor.
        if (bits > 1 && (bits - 1) * Math.Abs((double)exponent) > MaximumBits)
            return null;
        var size = bits <= 1 ? Math.Abs(exponent % 2) : Math.Abs(exponent);
        return exponent < 0
            ? Of(BigInteger.Pow(Denominator, size), BigInteger.Pow(Numerator, size))
            : Of(BigInteger.Pow(Numerator, size), BigInteger.Pow(Denominator, size));
    }

    /// <summary>Returns the nearest double, or an infinity.</summary>
    internal double ToDouble()
    {
        // Both are shifted to the precise range of doubles: numerator and denominator may each exceed the range of a double.
        var shift = (int)(Numerator.GetBitLength() - Denominator.GetBitLength());
        var scaled = shift >= 0 ? (Numerator << 64) / (Denominator << shift) : ((Numerator << (64 - shift)) / Denominator);
        return Math.ScaleB((double)scaled, shift - 64);
    }

    /// <summary>Returns true if |a − b| ≤ tolerance · max(|a|, |b|), computed exactly.</summary>
    internal static bool AreClose(Rational a, Rational b, double tolerance)
    {
        var (left, right) = (a.Numerator * b.Denominator, b.Numerator * a.Denominator);
        var largest = BigInteger.Max(BigInteger.Abs(left), BigInteger.Abs(right));
        // The tolerance as an integer multiple of a power of two, 2^-1074 or larger, as every double is.
        var (mantissa, exponent) = Decompose(tolerance);
        var bound = largest * mantissa;
        var difference = BigInteger.Abs(left - right);
        return exponent >= 0 ? difference <= bound << exponent : difference << -exponent <= bound;
    }

    private static (BigInteger Mantissa, int Exponent) Decompose(double value)
    {
        if (value == 0)
            return (0, 0);
        var exponent = Math.ILogB(value) - 52;
        return (new BigInteger(Math.ScaleB(value, -exponent)), exponent);
    }

    public override string ToString() => $"{Numerator}/{Denominator}";
}
