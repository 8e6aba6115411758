using PostTrain.Adapters.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <content>Adapters inside the base's own weights.</content>
public sealed partial class AdaptedModel
{
    private readonly List<(Leaf Leaf, Tensor? Weight, Tensor? Bias)> kept = [];

    /// <summary>Whether the base's weights hold the active adapters.</summary>
    public bool IsMerged => state.Merged;

    /// <summary>Writes the active adapters into the base's weights, so that the model alone gives what it gave with them (1e-12 in float64)
    /// and costs no more than the base. The base's own values are kept aside for <see cref="Unmerge"/>.</summary>
    /// <exception cref="InvalidOperationException">They are merged already, switched off or assigned by rows; or a weight is tied to
    /// another layer that the adapter does not change. Nothing has changed then.</exception>
    public void Merge()
    {
        Unmerged(nameof(Merge));
        if (state.Disabled > 0 || state.Rows is not null)
            throw new InvalidOperationException("the adapters are switched off or assigned by rows; leave that scope before the merge");
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

    /// <summary>Gives the base its own weights back, bit for bit, and lets the adapters act again.</summary>
    /// <exception cref="InvalidOperationException">They are not merged.</exception>
    public void Unmerge()
    {
        if (!state.Merged)
            throw new InvalidOperationException("the adapters are not merged");
        Restore();
        state.Merged = false;
    }

    /// <summary>Merges the active adapters for good and takes everything off: what is left is the base model with other weights.</summary>
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

    // The values before, or null where there are no others.
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
