using PostTrain.Adapters.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <content>The loss term of a method.</content>
public sealed partial class AdaptedModel
{
    /// <summary>Computes AdaLoRA's penalty for the loss, γ times the mean of ‖AAᵀ − I‖ and ‖BᵀB − I‖ over all layers (arXiv:2303.10512, eq.
    /// 4). As in PEFT the norm is not squared.</summary>
    /// <returns>A scalar; 0 if no active adapter is AdaLoRA.</returns>
    public Tensor OrthogonalityPenalty()
    {
        using var scope = NewDisposeScope();
        var total = zeros(1).sum();
        foreach (var entry in state.Active.Select(Find))
        {
            var layers = entry.Pieces.OfType<AdaLoraLinear>().ToArray();
            if (layers.Length > 0)
                total =
                    total
                    + stack(layers.Select(layer => layer.Penalty()).ToArray(), 0).mean()
                        * ((AdaLoraOptions)entry.Options).OrthogonalityWeight;
        }

        return total.MoveToOuterDisposeScope();
    }
}
