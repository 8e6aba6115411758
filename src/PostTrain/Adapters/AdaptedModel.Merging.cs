using PostTrain.Adapters.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <content>Merges adapters into the base's weights.</content>
public sealed partial class AdaptedModel
{
    private readonly List<(Leaf Leaf, Tensor? Weight, Tensor? Bias)> kept = [];

    /// <summary>True if the base's weights include the active adapters.</summary>
    public bool IsMerged => state.Merged;

    /// <summary>Merges the active adapters into the base's weights: the model alone gives the same results (1e-12 in float64) at the cost
    /// of the base. The base's own values are stored for <see cref="Unmerge"/>.</summary>
    /// <exception cref="InvalidOperationException">They are already merged, disabled or assigned to rows; or a weight is tied to another
    /// layer that the adapter does not change. Nothing is changed then.</exception>
    public void Merge()
    {
        Unmerged(nameof(Merge));
        if (state.Disabled > 0 || state.Rows is not null)
            throw new InvalidOperationException("the adapters are disabled or assigned to rows; leave that scope before merging");
        using var mode = no_grad();
        try
        {
            foreach (var site in sites.Values)
                Merge(site);
            state.Merged = true;
        }
        catch
        {
            Restore();
            throw;
        }
    }

    /// <summary>Restores the base's own weights, bit for bit, and makes the adapters active again.</summary>
    /// <exception cref="InvalidOperationException">The adapters are not merged.</exception>
    public void Unmerge()
    {
        if (!state.Merged)
            throw new InvalidOperationException("the adapters are not merged");
        Restore();
        state.Merged = false;
    }

    /// <summary>Merges the active adapters permanently and removes all adapters; the base model remains with changed weights.</summary>
    public void MergeAndDispose()
    {
        if (!state.Merged)
            Merge();
        foreach (var (_, weight, bias) in kept)
        {
            weight?.Dispose();
            bias?.Dispose();
        }

        kept.Clear();
        state.Merged = false;
        Dispose();
    }

    private void Merge(AdapterSite site)
    {
        using var scope = NewDisposeScope();
        Tensor weight = site.Leaf.Weight;
        Tensor? bias = site.Leaf.Bias;
        var (newWeight, newBias) = (weight, bias);
        foreach (var piece in state.Active.SelectMany(site.Of))
        {
            var (changedWeight, changedBias) = piece.Merged(newWeight, newBias);
            if (changedWeight is not null && site.Leaf.IsTied && !piece.CoversTied)
                throw new InvalidOperationException(
                    $"the weight of '{site.Leaf.Name}' is tied to another layer, which a merge would change too"
                );
            (newWeight, newBias) = (changedWeight ?? newWeight, changedBias ?? newBias);
        }

        kept.Add((site.Leaf, Replace(weight, newWeight), bias is null ? null : Replace(bias, newBias!)));
    }

    // Returns the previous values, or null if there are no new ones.
    private static Tensor? Replace(Tensor target, Tensor values)
    {
        if (ReferenceEquals(target, values))
            return null;
        var before = target.detach().clone().DetachFromDisposeScope();
        target.copy_(values);
        return before;
    }

    private void Restore()
    {
        using var mode = no_grad();
        foreach (var (leaf, weight, bias) in kept)
        {
            if (weight is not null)
                leaf.Weight.copy_(weight);
            if (bias is not null)
                leaf.Bias!.copy_(bias);
            weight?.Dispose();
            bias?.Dispose();
        }

        kept.Clear();
    }
}
