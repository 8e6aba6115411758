namespace PostTrain.Adapters.Layers;

/// <summary>Which layers of a model an adapter is built for.</summary>
internal sealed class AdapterPlan(IReadOnlyList<Leaf> leaves, IReadOnlyList<string> modules, AdapterRandom random)
{
    private readonly HashSet<string> adapted = new(StringComparer.Ordinal);
    private readonly HashSet<string> copied = new(StringComparer.Ordinal);

    public IReadOnlyList<Leaf> Leaves => leaves;

    public AdapterRandom Random => random;

    /// <summary>The layers that the options' targets name.</summary>
    /// <exception cref="ArgumentException">There are none, or a target is no layer that can be adapted.</exception>
    public IReadOnlyList<Leaf> Targets(AdapterOptions options)
    {
        if (options.Targets is not { IsEmpty: false } targets)
            throw new ArgumentException(
                $"{options.GetType().Name}.Targets is not given, expected names of modules, such as q_proj and v_proj",
                nameof(options)
            );
        var found = new List<Leaf>();
        foreach (var leaf in leaves)
        {
            var named = targets.IsAllLinear ? leaf is { Kind: LeafKind.Linear, IsHead: false } : targets.Contains(leaf.Name);
            if (named && options.Exclude?.Contains(leaf.Name) != true && InLayers(leaf.Name) && !IsSaved(options, leaf.Name))
                found.Add(leaf);
        }

        if (
            !targets.IsAllLinear
            && modules.FirstOrDefault(name =>
                targets.Contains(name) && options.Exclude?.Contains(name) != true && InLayers(name) && leaves.All(leaf => leaf.Name != name)
            )
                is { } other
        )
            throw new ArgumentException(
                $"Targets {targets} name the module '{other}', which is neither a linear layer nor an embedding nor a normalisation",
                nameof(options)
            );
        if (found.Count == 0)
            throw new ArgumentException($"Targets {targets} name no module of this model, which has {Some()}", nameof(options));
        adapted.UnionWith(found.Select(leaf => leaf.Name));
        return found;

        bool InLayers(string name) =>
            options.Layers.Count == 0
            || (ModuleSelection.LayerOf(name, options.LayersPattern) is { } layer && options.Layers.Contains(layer));
    }

    /// <summary>The layers that are trained as a whole.</summary>
    /// <exception cref="ArgumentException">A name fits no module, or a module in it cannot be copied.</exception>
    public IReadOnlyList<Leaf> Saved(AdapterOptions options)
    {
        foreach (var end in options.ModulesToSave)
        {
            if (
                string.IsNullOrEmpty(end)
                || !modules.Concat(leaves.Select(leaf => leaf.Name)).Any(name => name.EndsWith(end, StringComparison.Ordinal))
            )
                throw new ArgumentException(
                    $"ModulesToSave names '{end}', but the model has no such module, only {Some()}",
                    nameof(options)
                );
        }

        var found = leaves.Where(leaf => IsSaved(options, leaf.Name)).ToList();
        copied.UnionWith(found.Select(leaf => leaf.Name));
        return found;
    }

    /// <summary>The biases that are trained along: call it after <see cref="Targets"/> and <see cref="Saved"/>.</summary>
    public IEnumerable<ModuleAdapter> Biases(AdapterOptions options, AdapterBias which) =>
        which == AdapterBias.None
            ? []
            : leaves
                .Where(leaf =>
                    leaf.Bias is not null && !copied.Contains(leaf.Name) && (which == AdapterBias.All || adapted.Contains(leaf.Name))
                )
                .Select(leaf => new BiasShift(leaf, adapted.Contains(leaf.Name)));

    /// <summary>The embedding of this name, or the model's first.</summary>
    public Leaf Embedding(string? name) =>
        leaves.FirstOrDefault(leaf => leaf.Kind == LeafKind.Embedding && (name is null || ModuleSelection.Named(name).Contains(leaf.Name)))
        ?? throw new ArgumentException(
            $"the model has no embedding {(name is null ? "" : $"'{name}' ")}whose tokens could be trained, only {Some()}",
            nameof(name)
        );

    /// <summary>The output projection that uses an embedding's weight, or null.</summary>
    public Leaf? TiedTo(Leaf embedding) =>
        embedding.IsTied
            ? leaves.FirstOrDefault(leaf =>
                leaf != embedding && leaf is { IsTied: true, Packed: null } && ReferenceEquals(leaf.Weight, embedding.Weight)
            )
            : null;

    public static ArgumentException NotAdaptable(Leaf leaf, string rule) =>
        new($"Targets name the module '{leaf.Name}' of the kind {leaf.Kind}, but {rule}", nameof(leaf));

    // As PEFT does: the end of the name, with or without a dot before it; and what lies inside such a module.
    private static bool IsSaved(AdapterOptions options, string name) =>
        options.ModulesToSave.Any(end =>
        {
            for (var part = name; ; )
            {
                if (part.EndsWith(end, StringComparison.Ordinal))
                    return true;
                var dot = part.LastIndexOf('.');
                if (dot < 0)
                    return false;
                part = part[..dot];
            }
        });

    private string Some() => string.Join(", ", leaves.Select(leaf => leaf.Name).Take(12)) + (leaves.Count > 12 ? ", ..." : "");
}
