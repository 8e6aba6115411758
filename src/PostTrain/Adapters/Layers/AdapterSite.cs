using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>A layer of the base model with the pieces of all adapters there, and the hooks that apply them.</summary>
internal sealed class AdapterSite(Leaf leaf, AdapterState state)
{
    private readonly Dictionary<string, List<ModuleAdapter>> pieces = new(StringComparer.Ordinal);
    private Action? removeBefore;
    private Action? removeAfter;

    public Leaf Leaf => leaf;

    /// <summary>Returns the pieces of one adapter in the order in which they are applied.</summary>
    public IReadOnlyList<ModuleAdapter> Of(string adapter) => pieces.TryGetValue(adapter, out var found) ? found : [];

    public void Add(string adapter, ModuleAdapter piece)
    {
        if (!pieces.TryGetValue(adapter, out var list))
            pieces.Add(adapter, list = []);
        list.Add(piece);
        if (piece.ChangesInput && removeBefore is null)
            removeBefore = leaf.Module.register_forward_pre_hook((_, input) => Before(input)).remove;
        if (piece.ChangesOutput && removeAfter is null)
            removeAfter = leaf.Module.register_forward_hook((_, input, output) => After(input, output)).remove;
    }

    /// <summary>Removes an adapter; the hooks are removed with the last one.</summary>
    public void Remove(string adapter)
    {
        pieces.Remove(adapter);
        if (pieces.Count > 0)
            return;
        removeBefore?.Invoke();
        removeAfter?.Invoke();
        (removeBefore, removeAfter) = (null, null);
    }

    private Tensor Before(Tensor input)
    {
        if (!state.Acts)
            return input;
        return state.Rows is { } rows
            ? Grouped(rows, input, (adapter, part, _) => Before(adapter, part), null)
            : state.Active.Aggregate(input, (x, adapter) => Before(adapter, x));
    }

    private Tensor After(Tensor input, Tensor output)
    {
        if (!state.Acts)
            return output;
        var result = output;
        if (state.Rows is { } rows)
        {
            result = Grouped(rows, input, (adapter, x, y) => After(adapter, x, y!), output);
        }
        else
        {
            foreach (var adapter in state.Active)
                result = After(adapter, input, result);
        }

        // The layer's own result has no other owner.
        if (!ReferenceEquals(result, output))
            output.Dispose();
        return result;
    }

    private Tensor Before(string adapter, Tensor input)
    {
        foreach (var piece in Of(adapter))
            input = piece.Before(input);
        return input;
    }

    private Tensor After(string adapter, Tensor input, Tensor output)
    {
        var result = output;
        foreach (var piece in Of(adapter))
        {
            var next = piece.After(input, result);
            if (!ReferenceEquals(next, result) && !ReferenceEquals(result, output))
                result.Dispose();
            result = next;
        }

        return result;
    }

    // Applies each group's adapter to its rows, then restores the order of the rows.
    private Tensor Grouped(RowAssignment rows, Tensor input, Func<string, Tensor, Tensor?, Tensor> apply, Tensor? output)
    {
        var whole = output ?? input;
        if (rows.Groups.All(group => group.Adapter is null || Of(group.Adapter).Count == 0))
            return whole;
        if (input.dim() == 0 || input.size(0) != rows.Count)
            throw new ArgumentException(
                $"adapters are assigned to {rows.Count} rows, but the layer '{leaf.Name}' sees the shape "
                    + $"[{string.Join(",", input.shape)}], expected [{rows.Count},...]",
                nameof(input)
            );
        using var scope = NewDisposeScope();
        var parts = rows
            .Groups.Select(group =>
            {
                var index = group.Rows.to(input.device);
                var x = input.index_select(0, index);
                var y = output?.index_select(0, index);
                return group.Adapter is null ? y ?? x : apply(group.Adapter, x, y);
            })
            .ToArray();
        return cat(parts, 0).index_select(0, rows.Back.to(input.device)).MoveToOuterDisposeScope();
    }
}
