namespace PostTrain.Models;

/// <summary>Every frequency divided by a factor: position m is read as m / factor (Chen et al. 2023, arXiv:2306.15595).</summary>
/// <param name="Factor">Above 0; 2 reads texts twice as long as if they were short.</param>
public sealed record LinearScaling(double Factor) : RotaryScaling
{
    internal override double[] Frequencies(double theta, int size, long length) =>
        Array.ConvertAll(Plain(theta, size), frequency => frequency / Factor);

    internal override void Validate() => Positive(Factor, nameof(Factor));
}
