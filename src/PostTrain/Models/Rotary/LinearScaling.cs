namespace PostTrain.Models;

/// <summary>Linear scaling: every frequency is divided by a factor, so position m acts as m / factor (Chen et al. 2023,
/// arXiv:2306.15595).</summary>
/// <param name="Factor">Above 0; 2 is for texts twice as long.</param>
public sealed record LinearScaling(double Factor) : RotaryScaling
{
    internal override double[] Frequencies(double theta, int size, long length) =>
        Array.ConvertAll(Plain(theta, size), frequency => frequency / Factor);

    internal override void Validate() => Positive(Factor, nameof(Factor));
}
