namespace PostTrain.Models;

/// <summary>How the frequencies of a rotary embedding are changed, so that a model reads longer texts than it was trained on
/// first.</summary>
/// <remarks>The kinds are those of transformers' <c>rope_type</c>: <see cref="LinearScaling"/>, <see cref="DynamicScaling"/>,
/// <see cref="Llama3Scaling"/> and <see cref="YarnScaling"/>.</remarks>
public abstract record RotaryScaling
{
    private protected RotaryScaling() { }

    /// <summary>What cosine and sine are multiplied by, so that the scores grow with its square; 1 unless a kind says otherwise.</summary>
    internal virtual double AttentionFactor => 1;

    /// <summary>The frequencies ω_i, i = 0 ... size/2 − 1, of a sequence of <paramref name="length"/> positions.</summary>
    /// <param name="theta">Base θ.</param>
    /// <param name="size">Elements of a head that are turned.</param>
    /// <param name="length">Positions of the longest sequence in the pass.</param>
    internal abstract double[] Frequencies(double theta, int size, long length);

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the value and the range.</exception>
    internal abstract void Validate();

    /// <summary>θ^(−2i/size).</summary>
    internal static double[] Plain(double theta, int size)
    {
        var frequencies = new double[size / 2];
        for (var i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(theta, -2.0 * i / size);
        return frequencies;
    }

    private protected static void Positive(double value, string name) => Numerics.Guard.Positive(value, name);
}
