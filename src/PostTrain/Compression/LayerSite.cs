using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Models;
using static TorchSharp.torch;

namespace PostTrain.Compression;

/// <summary>The linear layers of a model that a method changes, with the module that each belongs to.</summary>
internal sealed record LayerSite(Leaf Leaf, nn.Module Owner, string Child)
{
    public string Name => Leaf.Name;

    public nn.Module<Tensor, Tensor> Module => Leaf.Module;

    /// <summary>Linear layers that are selected: null takes all of them, the output projection apart. Projections by a tied embedding have
    /// no
    /// layer of their own and are left out.</summary>
    /// <exception cref="ArgumentException">None is selected.</exception>
    public static IReadOnlyList<LayerSite> Of(nn.Module model, ModuleSelection? targets, ModuleSelection? exclude)
    {
        ArgumentNullException.ThrowIfNull(model);
        var chosen = targets ?? ModuleSelection.AllLinear;
        var modules = model.named_modules().ToDictionary(item => item.name, item => item.module, StringComparer.Ordinal);
        var all = Leaf.All(model).Where(leaf => leaf.Kind == LeafKind.Linear && modules.ContainsKey(leaf.Name)).ToList();
        LayerSite[] found =
        [
            .. all.Where(leaf => (chosen.IsAllLinear ? !leaf.IsHead : chosen.Contains(leaf.Name)) && exclude?.Contains(leaf.Name) != true)
                .Select(leaf =>
                {
                    var dot = leaf.Name.LastIndexOf('.');
                    return new LayerSite(leaf, dot < 0 ? model : modules[leaf.Name[..dot]], leaf.Name[(dot + 1)..]);
                }),
        ];
        return found.Length > 0
            ? found
            : throw new ArgumentException(
                $"Targets {chosen} name no linear layer of this model, which has "
                    + $"{string.Join(", ", all.Take(12).Select(leaf => leaf.Name))}",
                nameof(targets)
            );
    }

    /// <summary>Checks that the layers can be replaced by others.</summary>
    /// <exception cref="ArgumentException">They cannot; or adapters are attached to the model and would be lost.</exception>
    public static void CheckReplaceable(nn.Module model, IEnumerable<LayerSite> sites)
    {
        if (model.named_modules().Any(item => item.module is AdapterNode))
            throw new ArgumentException(
                "the model has adapters, whose hooks belong to the layers: compress first, then attach adapters",
                nameof(model)
            );
        if (sites.FirstOrDefault(site => site.Owner is not ILayerOwner) is { } site)
            throw new ArgumentException(
                $"the layer '{site.Name}' is in a {site.Owner.GetName()}, which does not implement {nameof(ILayerOwner)}: "
                    + "its layers cannot be replaced",
                nameof(model)
            );
    }

    public void Replace(nn.Module<Tensor, Tensor> layer) => ((ILayerOwner)Owner).ReplaceLayer(Child, layer);
}
