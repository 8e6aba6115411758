namespace PostTrain.Numerics;

/// <summary>Random numbers as a pure function of a seed and counters: no state to keep, save or restore.</summary>
/// <remarks>SplitMix64's finaliser (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators") over the mixed counters.</remarks>
internal static class CounterRandom
{
    /// <summary>64 random bits for these counters.</summary>
    internal static ulong Bits(ulong seed, ulong first, ulong second = 0) => Mix(Mix(Mix(seed) + first) + second);

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    internal static double Uniform(ulong seed, ulong first, ulong second = 0) => (Bits(seed, first, second) >> 11) * (1.0 / (1UL << 53));

    /// <summary>A whole number in [0, <paramref name="count"/>).</summary>
    internal static int Below(int count, ulong seed, ulong first, ulong second = 0) => (int)(((UInt128)Bits(seed, first, second) * (uint)count) >> 64);

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
