using PostTrain.Adapters.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters;

/// <summary>
/// A model with weight adapters on it. The base model stays the object that it is, its parameters where and what they are, frozen; the
/// adapters act through hooks on its layers, and their parameters stand in the model's tree below <c>adapters</c>, so that whoever
/// takes the model (a trainer, a sampler, a checkpoint) takes the adapters with it.
/// </summary>
/// <remarks>Several named adapters can be on one model; those of <see cref="Active"/> act, one after the other. Not thread-safe: two
/// threads that want different adapters need two models.</remarks>
public sealed partial class AdaptedModel : IDisposable
{
    private readonly AdapterState state = new();
    private readonly AdapterTree tree;
    private readonly IReadOnlyList<Leaf> leaves;
    private readonly IReadOnlyList<string> modules;
    private readonly string[] trainedBefore;
    private readonly Dictionary<string, AdapterSite> sites = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> adapters = new(StringComparer.Ordinal);
    private bool disposed;

    private AdaptedModel(nn.Module root)
    {
        Root = root;
        leaves = Leaf.All(root);
        modules = [.. root.named_modules().Select(item => item.name)];
        trainedBefore = [.. root.named_parameters().Where(item => item.parameter.requires_grad).Select(item => item.name)];
        tree = new AdapterTree(root);
        foreach (var parameter in root.parameters())
            parameter.requires_grad = false;
    }

    /// <summary>The model itself. It belongs to the caller.</summary>
    public nn.Module Root { get; }

    /// <summary>The adapters' names in the order in which they came.</summary>
    public IReadOnlyList<string> Names => [.. adapters.Keys];

    /// <summary>The adapters that act, in this order.</summary>
    public IReadOnlyList<string> Active => state.Active;

    /// <summary>The trained parameters: those of the active adapters, by their names in the model's tree.</summary>
    /// <remarks>Take an optimiser's parameters from here where the model is TorchSharp's <c>Sequential</c>, which does not list them
    /// itself.</remarks>
    public IReadOnlyList<(string Name, Parameter Parameter)> TrainableParameters =>
        [.. tree.Parameters().Where(item => item.Parameter.requires_grad)];

    /// <summary>Numbers in <see cref="TrainableParameters"/>.</summary>
    public long TrainableCount => TrainableParameters.Sum(item => item.Parameter.numel());

    /// <summary>Numbers in all parameters, the base's and every adapter's.</summary>
    public long TotalCount => tree.Parameters().Sum(item => item.Parameter.numel());

    /// <summary>Puts a first adapter on a model and freezes everything else.</summary>
    /// <param name="model">The base model; a <see cref="Models.CausalLm"/> or any other tree of linear, embedding and normalisation
    /// layers.</param>
    /// <param name="options">The method and its options.</param>
    /// <param name="name">The adapter's name, without dots.</param>
    /// <param name="seed">The same seed gives the same start.</param>
    /// <returns>To be disposed before the model; disposing takes everything off again.</returns>
    /// <exception cref="ArgumentException">The options do not fit the model; the message names the option and what the model
    /// has.</exception>
    public static AdaptedModel Attach(nn.Module model, AdapterOptions options, string name = "default", ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        var adapted = new AdaptedModel(model);
        try
        {
            adapted.Add(name, options, seed);
            adapted.Activate(name);
            return adapted;
        }
        catch
        {
            adapted.Dispose();
            throw;
        }
    }

    /// <summary>The options of an adapter.</summary>
    public AdapterOptions Options(string name) => Find(name).Options;

    /// <summary>Puts another adapter on the model; it does not act until <see cref="Activate"/> names it.</summary>
    /// <exception cref="ArgumentException">There is an adapter of this name, or the options do not fit the model.</exception>
    public void Add(string name, AdapterOptions options, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(options);
        CheckNew(name);
        options.Validate();
        var pieces = Build(options, seed);
        Add(name, options, pieces);
    }

    /// <summary>Takes an adapter off and frees its parameters.</summary>
    /// <exception cref="InvalidOperationException">It is merged into the base.</exception>
    public void Remove(string name)
    {
        var entry = Find(name);
        Unmerged(nameof(Remove));
        state.Active = [.. state.Active.Where(active => active != name)];
        foreach (var site in sites.Values)
            site.Remove(name);
        tree.Node.register_module(name, null!);
        entry.Node.Dispose();
        adapters.Remove(name);
    }

    /// <summary>Chooses the adapters that act and are trained; without a name, none.</summary>
    /// <exception cref="ArgumentException">An unknown name, one given twice, or adapters of different methods.</exception>
    public void Activate(params string[] names)
    {
        Unmerged(nameof(Activate));
        ArgumentNullException.ThrowIfNull(names);
        if (names.Distinct(StringComparer.Ordinal).Count() != names.Length)
            throw new ArgumentException($"[{string.Join(", ", names)}] names an adapter twice", nameof(names));
        if (names.Select(name => Find(name).Options.Method).Distinct().Count() > 1)
            throw new ArgumentException(
                $"[{string.Join(", ", names)}] are adapters of different methods, which cannot act together",
                nameof(names)
            );
        state.Active = names;
        foreach (var (name, entry) in adapters)
        {
            foreach (var parameter in entry.Node.parameters())
                parameter.requires_grad = names.Contains(name);
        }
    }

    /// <summary>Until the returned object is disposed, no adapter acts: the model is the base model, bit for bit. The free reference
    /// policy.</summary>
    /// <exception cref="InvalidOperationException">The adapters are merged into the base.</exception>
    public IDisposable Disabled()
    {
        Unmerged(nameof(Disabled));
        state.Disabled++;
        return new Undo(() => state.Disabled--);
    }

    /// <summary>The policy without its adapters, as the frozen reference of a trainer: it costs no memory.</summary>
    /// <param name="policy">The language model that is trained: <see cref="Root"/>, or what wraps it.</param>
    public Models.ReferencePolicy Reference(Models.CausalLm policy) => Models.ReferencePolicy.WithoutAdapter(policy, Disabled);

    /// <summary>Until the returned object is disposed, each row of a batch goes through an adapter of its own.</summary>
    /// <param name="adapters">A name for each row of the batches that follow, or null for the base model. Each layer must see that
    /// many rows in its first dimension.</param>
    /// <exception cref="ArgumentException">No row is given, or a name is unknown.</exception>
    /// <exception cref="InvalidOperationException">The adapters are merged, or rows are assigned already.</exception>
    public IDisposable ForRows(params IReadOnlyList<string?> adapters)
    {
        Unmerged(nameof(ForRows));
        ArgumentNullException.ThrowIfNull(adapters);
        if (adapters.Count == 0)
            throw new ArgumentException("no row is given, expected a name or null for each row", nameof(adapters));
        if (state.Rows is not null)
            throw new InvalidOperationException("the rows have adapters already; leave that scope first");
        foreach (var name in adapters)
        {
            if (name is not null)
                Find(name);
        }

        var rows = new RowAssignment(adapters);
        state.Rows = rows;
        return new Undo(() =>
        {
            state.Rows = null;
            rows.Dispose();
        });
    }

    /// <summary>Takes all adapters off: unmerges, removes hooks and parameters, and lets the base's parameters require gradients as
    /// before.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        if (state.Merged)
            Unmerge();
        foreach (var name in Names)
            Remove(name);
        tree.Dispose();
        state.Rows?.Dispose();
        var before = trainedBefore.ToHashSet(StringComparer.Ordinal);
        foreach (var (name, parameter) in Root.named_parameters())
        {
            if (before.Contains(name))
                parameter.requires_grad = true;
        }
    }

    /// <summary>The pieces of an adapter, in the order in which they were made.</summary>
    internal IReadOnlyList<ModuleAdapter> Pieces(string name) => Find(name).Pieces;

    private List<ModuleAdapter> Build(AdapterOptions options, ulong seed)
    {
        var pieces = new List<ModuleAdapter>();
        try
        {
            foreach (var piece in options.Build(new AdapterPlan(leaves, modules, new AdapterRandom(seed))))
                pieces.Add(piece);
            return pieces;
        }
        catch
        {
            foreach (var piece in pieces)
                piece.Dispose();
            throw;
        }
    }

    private void Add(string name, AdapterOptions options, List<ModuleAdapter> pieces)
    {
        var node = tree.Node.Child(name);
        foreach (var piece in pieces)
        {
            node.Add(piece);
            if (!sites.TryGetValue(piece.Leaf.Name, out var site))
                sites.Add(piece.Leaf.Name, site = new AdapterSite(piece.Leaf, state));
            site.Add(name, piece);
        }

        node.train(Root.training);
        node.Terms = [.. options.UpdateTerms(pieces)];
        foreach (var parameter in node.parameters())
            parameter.requires_grad = false;
        adapters.Add(name, new Entry(options, pieces, node));
    }

    private void CheckNew(string name)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ArgumentException.ThrowIfNullOrEmpty(name);
        Unmerged(nameof(Add));
        if (name.Contains('.', StringComparison.Ordinal))
            throw new ArgumentException($"the name '{name}' has a dot, expected one without", nameof(name));
        if (adapters.ContainsKey(name))
            throw new ArgumentException($"there is an adapter '{name}' already", nameof(name));
    }

    private Entry Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return adapters.TryGetValue(name, out var entry)
            ? entry
            : throw new ArgumentException($"there is no adapter '{name}', only [{string.Join(", ", adapters.Keys)}]", nameof(name));
    }

    private void Unmerged(string action)
    {
        if (state.Merged)
            throw new InvalidOperationException($"the adapters are merged into the base model; {nameof(Unmerge)} before {action}");
    }

    private sealed record Entry(AdapterOptions Options, IReadOnlyList<ModuleAdapter> Pieces, AdapterNode Node);

    private sealed class Undo(Action action) : IDisposable
    {
        private Action? action = action;

        public void Dispose() => Interlocked.Exchange(ref action, null)?.Invoke();
    }
}
