using PostTrain.Models;

namespace PostTrain.Merging;

/// <summary>A tensor of the merged model and what it is made of.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Base">Name of the base's tensor, where the method treats the base apart.</param>
/// <param name="Parts">The models, the tensors' names in them, and their parameters.</param>
/// <param name="Parameters">Parameters of slice and merge.</param>
/// <param name="Position">0 to 1.</param>
internal sealed record PlannedTensor(
    string Name,
    string? Base,
    IReadOnlyList<(MergeModel Model, string Name, MergeParameters Parameters)> Parts,
    MergeParameters Parameters,
    double Position
);

/// <summary>All tensors of the merged model, and the layers that they come from.</summary>
internal sealed class MergePlan
{
    private readonly MergeConfig config;
    private readonly MergeSources sources;

    private MergePlan(MergeConfig config, MergeSources sources)
    {
        (this.config, this.sources) = (config, sources);
        var slices = config.Slices.Count > 0 ? config.Slices : [Whole()];
        Reference = sources[config.Base ?? slices[0].Models[0].Directory];
        foreach (var source in sources.All)
            source.CheckAgainst(Reference);
        Tensors = [.. Outside(slices), .. slices.SelectMany((slice, i) => Inside(slice, slices.Take(i).Sum(Length)))];
        LayerOrigins =
        [
            .. slices.SelectMany(slice =>
                Enumerable.Range(slice.Models[0].Layers!.Value.Start, Length(slice)).Select(layer => (slice.Models[0].Directory, layer))
            ),
        ];
        if (config.Slices.Count == 0)
            CheckNothingLeft();
    }

    /// <summary>The model that gives configuration and tokenizer.</summary>
    internal MergeSource Reference { get; }

    internal IReadOnlyList<PlannedTensor> Tensors { get; }

    /// <summary>For each layer, the first model's directory and layer.</summary>
    internal IReadOnlyList<(string Directory, int Layer)> LayerOrigins { get; }

    internal static MergePlan Of(MergeConfig config, MergeSources sources) => new(config, sources);

    private static int Length(MergeSlice slice) => slice.Models[0].Layers!.Value.End - slice.Models[0].Layers!.Value.Start;

    private MergeSlice Whole()
    {
        var layers = config.Models.Select(model => sources[model.Directory].Layers).ToArray();
        for (var i = 0; i < layers.Length; i++)
        {
            if (layers[i] != layers[0])
                throw new InvalidDataException(
                    $"{config.Models[i].Directory}: the model has {layers[i]} layers, expected {layers[0]} as {config.Models[0].Directory}"
                );
        }

        return new MergeSlice([.. config.Models.Select(model => model with { Layers = (0, layers[0]) })]);
    }

    // Embeddings by the first slice's parameters, what follows the layers by the last's.
    private IEnumerable<PlannedTensor> Outside(IReadOnlyList<MergeSlice> slices) =>
        Reference
            .Entries.Where(entry => LayerName.Of(entry.Name) is null)
            .Select(entry =>
            {
                var before = LayerName.IsBefore(entry.Name);
                return Planned(entry.Name, before ? slices[0] : slices[^1], _ => entry.Name, entry.Name, before ? 0 : 1);
            });

    private IEnumerable<PlannedTensor> Inside(MergeSlice slice, int offset)
    {
        var first = slice.Models[0].Layers!.Value.Start;
        var count = Length(slice);
        if (sources[slice.Models[0].Directory].Layers < first + count)
            throw new InvalidDataException(
                $"{slice.Models[0].Directory}: the model has {sources[slice.Models[0].Directory].Layers} layers, expected at least "
                    + $"the {first + count} of a slice"
            );
        var names = sources[slice.Models[0].Directory]
            .Entries.Select(entry => LayerName.Of(entry.Name))
            .OfType<LayerName>()
            .ToLookup(name => name.Layer);
        var origin = slice.Models.FirstOrDefault(model => MergeSources.Same(model.Directory, config.Base));
        for (var layer = 0; layer < count; layer++)
        {
            var position = count > 1 ? layer / (double)(count - 1) : 1;
            foreach (var name in names[first + layer])
            {
                var at = layer;
                // A base outside of the slice has the layers that the first model has.
                var start = origin?.Layers!.Value.Start ?? first;
                yield return Planned(
                    name.At(offset + layer),
                    slice,
                    model => name.At(model.Layers!.Value.Start + at),
                    name.At(start + at),
                    position
                );
            }
        }
    }

    private PlannedTensor Planned(string name, MergeSlice slice, Func<MergeModel, string> nameIn, string baseName, double position)
    {
        var apart = config.Method.Base != BaseUse.None && config.Base is not null;
        var shared = slice.Parameters.Over(config.Parameters);
        var parts = slice
            .Models.Where(model => !(apart && MergeSources.Same(model.Directory, config.Base)))
            .Select(model => (model, nameIn(model), model.Parameters.Over(shared)))
            .ToList();
        config.Method.Check(parts.Count, apart);
        foreach (var (model, part, _) in parts)
            Find(sources[model.Directory], part, name);
        if (apart)
            Find(sources[config.Base!], baseName, name);
        return new PlannedTensor(name, apart ? baseName : null, parts, shared, position);
    }

    private static void Find(MergeSource source, string name, string merged)
    {
        if (source.Find(name) is null)
            throw new InvalidDataException($"{source.Directory}: there is no tensor '{name}', of which '{merged}' is to be made");
    }

    // A tensor that no merged one is made of would be lost without a word.
    private void CheckNothingLeft()
    {
        var used = Tensors.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var source in sources.All)
        {
            if (source.Entries.FirstOrDefault(entry => !used.Contains(entry.Name)) is { } more)
                throw new InvalidDataException(
                    $"{source.Directory}: tensor '{more.Name}' [{string.Join(",", more.Shape)}] is not in {Reference.Directory}, so "
                        + "that it cannot be merged"
                );
        }
    }
}
