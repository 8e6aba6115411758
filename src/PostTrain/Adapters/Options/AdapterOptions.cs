using PostTrain.Adapters.Layers;
using PostTrain.Models;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>Options common to all weight adapters: the adapted modules, and what else is trained.</summary>
public abstract record AdapterOptions
{
    /// <summary>The adapted modules. Null means the method's own choice; a method without one throws.</summary>
    public ModuleSelection? Targets { get; init; }

    /// <summary>Modules to exclude from <see cref="Targets"/>; null for none.</summary>
    public ModuleSelection? Exclude { get; init; }

    /// <summary>Endings of the names of modules that are trained as a whole: the adapter holds a copy that replaces the module while it is
    /// active.</summary>
    /// <value>The default is none.</value>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Numbers of the adapted layers; not allowed with a regular expression in <see cref="Targets"/>.</summary>
    /// <value>The default is none, which means all.</value>
    public IReadOnlyList<int> Layers { get; init; } = [];

    /// <summary>Regular expressions of the module list whose name precedes the layer number. Empty means any name with a number.</summary>
    public IReadOnlyList<string> LayersPattern { get; init; } = [];

    /// <summary>Name or directory of the base model, stored in the adapter's file; null for none.</summary>
    public string? BaseModel { get; init; }

    /// <summary>PEFT's name of the task, stored in the adapter's file.</summary>
    /// <value>The default is CAUSAL_LM.</value>
    public string? TaskType { get; init; } = "CAUSAL_LM";

    /// <summary>An adapter of one's own on linear layers: y = x (W + ΔW)ᵀ + b.</summary>
    /// <remarks>Everything that the library's adapters have comes with it: training, checkpoints, merging, switching off, files. A file
    /// holds the parameters, the name as <c>peft_type</c> and the targets; what the functions take besides, such as a rank, is not in it:
    /// <see cref="AdaptedModel.Load"/> takes these options again. PEFT itself does not know the method.</remarks>
    /// <param name="name">Name of the method, in files and messages; none of PEFT's.</param>
    /// <param name="start">Names and first values of a layer's parameters, from the layer and a seed of its own. Names have no
    /// dots.</param>
    /// <param name="delta">ΔW, [out,in], from the layer and its parameters in their order; differentiable. Tensors that it makes belong to
    /// the caller's dispose scope.</param>
    public static AdapterOptions Of(
        string name,
        Func<AdapterLayer, ulong, IReadOnlyList<(string Name, Tensor Start)>> start,
        Func<AdapterLayer, IReadOnlyList<Tensor>, Tensor> delta
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(delta);
        if (Peft.PeftConfig.Knows(name))
            throw new ArgumentException($"name is '{name}', a method of PEFT, expected another one", nameof(name));
        return new OwnAdapterOptions(name, start, delta);
    }

    /// <summary>Makes a penalty or an action that takes part in every update while the adapter is trained, from the adapted layers; null
    /// for none. Not part of files.</summary>
    public Func<IReadOnlyList<AdaptedLayer>, IUpdateTerm>? Term { get; init; }

    /// <summary>The version of PEFT that a loaded file names.</summary>
    internal string? PeftVersion { get; init; }

    /// <summary>PEFT's name of the method, its <c>peft_type</c>.</summary>
    internal abstract string Method { get; }

    /// <summary>Checks the options that do not depend on the model.</summary>
    internal virtual void Validate()
    {
        if (Layers.Any(layer => layer < 0))
            throw new ArgumentOutOfRangeException(nameof(Layers), $"Layers holds {Layers.Min()}, expected numbers of at least 0");
        if (Layers.Count > 0 && Targets?.Pattern is { } pattern)
            throw new ArgumentException($"Layers is given with the pattern '{pattern}': write the layers into the pattern", nameof(Layers));
        if (LayersPattern.Count > 0 && Layers.Count == 0)
            throw new ArgumentException("LayersPattern is given without Layers", nameof(LayersPattern));
    }

    /// <summary>Creates the adapter's pieces, in the order in which they are applied.</summary>
    internal virtual IEnumerable<ModuleAdapter> Build(AdapterPlan plan)
    {
        foreach (var leaf in plan.Targets(this))
            yield return Create(leaf, plan);
        foreach (var leaf in plan.Saved(this))
            yield return new ModuleCopy(leaf);
    }

    /// <summary>Creates what the adapter adds to each update.</summary>
    internal virtual IEnumerable<IUpdateTerm> UpdateTerms(IReadOnlyList<ModuleAdapter> pieces)
    {
        if (Term is null)
            yield break;
        yield return Term([.. pieces.Select(piece => new AdaptedLayer(piece))])
            ?? throw new InvalidOperationException($"the Term of the adapter '{Method}' returned null, expected a term");
    }

    /// <summary>Creates the piece for one target.</summary>
    private protected abstract ModuleAdapter Create(Leaf leaf, AdapterPlan plan);

    private protected static void Probability(double value, string name)
    {
        if (!(value is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least 0 and below 1");
    }
}
