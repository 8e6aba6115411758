using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Dynamic NTK scaling: no change up to the original length; a sequence of n &gt; L positions uses the base θ (factor n/L −
/// (factor − 1))^(d/(d − 2)), d the number of rotated elements.</summary>
/// <param name="Factor">At least 1.</param>
/// <param name="OriginalLength">L, in tokens.</param>
/// <remarks>The frequencies depend only on the length of the token's own sequence in the pass. A cached pass beyond L therefore differs
/// from an uncached one: the keys keep the angles of the time when they were written, as in transformers. In transformers the longest
/// sequence of the batch decides; here a row does not depend on the other rows.</remarks>
public sealed record DynamicScaling(double Factor, int OriginalLength) : RotaryScaling
{
    internal override double[] Frequencies(double theta, int size, long length)
    {
        if (length <= OriginalLength || size <= 2)
            return Plain(theta, size);
        var growth = Factor * length / OriginalLength - (Factor - 1);
        return Plain(theta * Math.Pow(growth, size / (size - 2.0)), size);
    }

    /// <summary>Computes the frequencies of tokens whose sequences have the given lengths: [B,T] to [B,T,size/2], float64. They belong to
    /// the caller's scope.</summary>
    internal Tensor FrequenciesOf(Tensor lengths, double theta, int size)
    {
        var exponents = arange(size / 2, dtype: ScalarType.Float64, device: lengths.device).mul(-2.0 / size);
        // Up to L the growth is at most 1: no change.
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
