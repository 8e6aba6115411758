namespace PostTrain.Models;

/// <summary>
/// Dynamic NTK scaling: up to the original length nothing changes; a sequence of n &gt; L positions is read with the base
/// θ (factor n/L − (factor − 1))^(d/(d − 2)), d the elements that are turned.
/// </summary>
/// <param name="Factor">At least 1.</param>
/// <param name="OriginalLength">L, in tokens.</param>
/// <remarks>The frequencies depend on the longest sequence of the pass, and on nothing that went before. So a cached pass beyond L is not the
/// uncached one: the keys keep the angles that they had when they were written, as in transformers.</remarks>
public sealed record DynamicScaling(double Factor, int OriginalLength) : RotaryScaling
{
    internal override double[] Frequencies(double theta, int size, long length)
    {
        if (length <= OriginalLength || size <= 2)
            return Plain(theta, size);
        var growth = Factor * length / OriginalLength - (Factor - 1);
        return Plain(theta * Math.Pow(growth, size / (size - 2.0)), size);
    }

    internal override void Validate()
    {
        if (!(Factor >= 1) || double.IsInfinity(Factor))
            throw new ArgumentOutOfRangeException(nameof(Factor), Factor, "Factor must be finite and at least 1.");
        Numerics.Guard.AtLeast(OriginalLength, 1, nameof(OriginalLength));
    }
}
