using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Computes y + ΔW x; in training, whole outputs or the whole update can be dropped at random.</summary>
internal abstract class DeltaAdapter(string name, Leaf leaf, double rankDropout, double moduleDropout, bool scaleDropout)
    : ModuleAdapter(name, leaf)
{
    public sealed override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        if (training && moduleDropout > 0 && rand(1).ToDouble() <= moduleDropout)
            return output;
        var delta = Product(Cast(input, TypeFor(Leaf)));
        if (training && rankDropout > 0)
        {
            var kept = rand(Leaf.Outputs).gt(rankDropout).to_type(delta.dtype);
            delta = delta * (scaleDropout ? kept / kept.mean().clamp_min(1e-12) : kept);
        }

        var sum = Add(output, delta, 1);
        return ReferenceEquals(sum, output) ? sum : sum.MoveToOuterDisposeScope();
    }

    public sealed override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) =>
        (Cast(weight, TypeFor(Leaf)) + Delta().detach(), null);

    /// <summary>Computes x ΔWᵀ, [...,in] to [...,out].</summary>
    protected virtual Tensor Product(Tensor x) => nn.functional.linear(x, Delta());

    /// <summary>Computes ΔW, [out,in].</summary>
    protected abstract Tensor Delta();
}
