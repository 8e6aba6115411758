using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Batches;

/// <summary>Moves a reference model after the policy, as TR-DPO does every so many steps.</summary>
public static class ReferenceSync
{
    /// <summary>θ_ref ← μθ + (1 − μ)θ_ref, in place.</summary>
    /// <remarks>Gorbatovski et al. 2024, arXiv:2404.09656. μ = 1 is the hard update: a copy. Nothing changes where an argument is
    /// refused.</remarks>
    /// <param name="reference">The reference's parameters, which change.</param>
    /// <param name="policy">The policy's, in the same order and of the same shapes.</param>
    /// <param name="mix">μ in 0..1; 0.6 by default.</param>
    /// <exception cref="ArgumentException">Another number of parameters, or another shape.</exception>
    public static void Blend(IEnumerable<Tensor> reference, IEnumerable<Tensor> policy, double mix = 0.6)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(policy);
        Guard.Fraction(mix, nameof(mix));
        Tensor[] targets = [.. reference],
            sources = [.. policy];
        if (targets.Length != sources.Length)
            throw new ArgumentException($"policy holds {sources.Length} tensors, expected {targets.Length} as reference", nameof(policy));
        for (int i = 0; i < targets.Length; i++)
            Guard.SameShape(sources[i], $"policy[{i}]", targets[i], $"reference[{i}]");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        for (int i = 0; i < targets.Length; i++)
        {
            if (mix == 1)
                targets[i].copy_(sources[i]);
            else
                targets[i].mul_(1 - mix).add_(sources[i].to(targets[i].dtype, targets[i].device), mix);
        }
    }
}
