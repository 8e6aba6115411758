namespace PostTrain.Numerics;

/// <summary>Random numbers as a pure function of a seed and counters, without state.</summary>
/// <remarks>SplitMix64's finaliser (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators") of the mixed
/// counters.</remarks>
internal static class CounterRandom
{
    /// <summary>Returns 64 random bits for these counters.</summary>
    internal static ulong Bits(ulong seed, ulong first, ulong second = 0) => Mix(Mix(Mix(seed) + first) + second);

    /// <summary>Returns a number in [0, 1) with 53 random bits.</summary>
    internal static double Uniform(ulong seed, ulong first, ulong second = 0) => (Bits(seed, first, second) >> 11) * (1.0 / (1UL << 53));

    /// <summary>Returns an integer in [0, <paramref name="count"/>).</summary>
    internal static int Below(int count, ulong seed, ulong first, ulong second = 0) =>
        (int)(((UInt128)Bits(seed, first, second) * (uint)count) >> 64);

    /// <summary>Returns a number strictly between 0 and 1 with 48 random bits, (k + 1/2) 2^-48.</summary>
    /// <remarks>With 48 bits its product with a float64 total stays below the total after rounding, so an inverse of a cumulative
    /// distribution never runs past the end.</remarks>
    internal static double OpenUniform(ulong seed, ulong first, ulong second = 0) =>
        ((Bits(seed, first, second) >> 16) + 0.5) * (1.0 / (1UL << 48));

    /// <summary>Fills <paramref name="values"/> with N(0, <paramref name="standardDeviation"/>²) by the Box-Muller transform of the numbers
    /// at (seed, stream, 0), ...</summary>
    internal static void FillNormal(Span<float> values, ulong seed, ulong stream, double standardDeviation)
    {
        for (var i = 0; i < values.Length; i += 2)
        {
            var radius = standardDeviation * Math.Sqrt(-2 * Math.Log(OpenUniform(seed, stream, (ulong)i)));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * OpenUniform(seed, stream, (ulong)i + 1));
            values[i] = (float)(radius * cosine);
            if (i + 1 < values.Length)
                values[i + 1] = (float)(radius * sine);
        }
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
