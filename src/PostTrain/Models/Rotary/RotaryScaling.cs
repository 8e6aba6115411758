namespace PostTrain.Models;

/// <summary>A change of a rotary embedding's frequencies for texts longer than those of the original training.</summary>
/// <remarks>The kinds are those of transformers' <c>rope_type</c>: <see cref="LinearScaling"/>, <see cref="DynamicScaling"/>,
/// <see cref="Llama3Scaling"/> and <see cref="YarnScaling"/>.</remarks>
public abstract record RotaryScaling
{
    private protected RotaryScaling() { }

    /// <summary>Factor of cosine and sine, so that the scores grow with its square; 1 by default.</summary>
    internal virtual double AttentionFactor => 1;

    /// <summary>Computes the frequencies ω_i, i = 0 ... size/2 − 1, of a sequence of <paramref name="length"/> positions.</summary>
    /// <param name="theta">Base θ.</param>
    /// <param name="size">Rotated elements of a head.</param>
    /// <param name="length">Positions of the longest sequence in the pass.</param>
    internal abstract double[] Frequencies(double theta, int size, long length);

    /// <summary>Validates every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message names it and the range.</exception>
    internal abstract void Validate();

    /// <summary>Computes θ^(−2i/size).</summary>
    internal static double[] Plain(double theta, int size)
    {
        var frequencies = new double[size / 2];
        for (var i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(theta, -2.0 * i / size);
        return frequencies;
    }

    private protected static void Positive(double value, string name) => Numerics.Guard.Positive(value, name);
}
