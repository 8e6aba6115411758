using PostTrain.Adapters.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <content>The loss term of a method.</content>
public sealed partial class AdaptedModel
{
    /// <summary>Computes AdaLoRA's penalty for the loss, γ times the mean of ‖AAᵀ − I‖ and ‖BᵀB − I‖ over all layers (arXiv:2303.10512, eq.
    /// 4). As in PEFT the norm is not squared.</summary>
    /// <remarks>Trainers add it by themselves; the method serves loops of one's own.</remarks>
    /// <returns>A scalar; 0 if no active adapter is AdaLoRA.</returns>
    public Tensor OrthogonalityPenalty()
    {
        using var scope = NewDisposeScope();
        var total = zeros(1).sum();
        foreach (var term in state.Active.SelectMany(name => Find(name).Node.Terms).OfType<AdaLoraTerm>())
            total = term.Penalty() is { } penalty ? total + penalty : total;
        return total.MoveToOuterDisposeScope();
    }
}
