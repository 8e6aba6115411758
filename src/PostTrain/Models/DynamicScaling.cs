using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// Dynamic NTK scaling: up to the original length nothing changes; a sequence of n &gt; L positions is read with the base
/// θ (factor n/L − (factor − 1))^(d/(d − 2)), d the elements that are turned.
/// </summary>
/// <param name="Factor">At least 1.</param>
/// <param name="OriginalLength">L, in tokens.</param>
/// <remarks>The frequencies depend on the length that the token's own sequence has in the pass, and on nothing that went before. So a
/// cached pass beyond L is not the uncached one: the keys keep the angles that they had when they were written, as in transformers. There
/// the longest sequence of the batch decides; here a row does not depend on the rows beside it.</remarks>
public sealed record DynamicScaling(double Factor, int OriginalLength) : RotaryScaling
{
    internal override double[] Frequencies(double theta, int size, long length)
    {
        if (length <= OriginalLength || size <= 2)
            return Plain(theta, size);
        var growth = Factor * length / OriginalLength - (Factor - 1);
        return Plain(theta * Math.Pow(growth, size / (size - 2.0)), size);
    }

    /// <summary>The frequencies of tokens whose sequences have given lengths: [B,T] to [B,T,size/2], float64. They belong to the caller's
    /// scope.</summary>
    internal Tensor FrequenciesOf(Tensor lengths, double theta, int size)
    {
        var exponents = arange(size / 2, dtype: ScalarType.Float64, device: lengths.device).mul(-2.0 / size);
        // Up to L the growth is at most 1, and nothing changes.
        var growth = lengths.to_type(ScalarType.Float64).mul(Factor / OriginalLength).sub(Factor - 1).clamp_min(1);
        var power = size > 2 ? size / (size - 2.0) : 0;
        return growth.log().mul(power).add(Math.Log(theta)).unsqueeze(-1).mul(exponents).exp();
    }

    internal override void Validate()
    {
        if (!(Factor >= 1) || double.IsInfinity(Factor))
            throw new ArgumentOutOfRangeException(nameof(Factor), Factor, "Factor must be finite and at least 1.");
        Numerics.Guard.AtLeast(OriginalLength, 1, nameof(OriginalLength));
    }
}
