using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>The open directories of a merge, each once.</summary>
internal sealed class MergeSources : IDisposable
{
    private readonly Dictionary<string, MergeSource> byPath = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafetensorsFile> statistics = new(StringComparer.Ordinal);

    private MergeSources() { }

    /// <summary>Opens all that a configuration names.</summary>
    internal static MergeSources Open(MergeConfig config)
    {
        var sources = new MergeSources();
        try
        {
            var models = config.Models.Concat(config.Slices.SelectMany(slice => slice.Models)).ToList();
            foreach (var directory in models.Select(model => model.Directory).Concat(config.Base is { } path ? [path] : []))
                sources.byPath.TryAdd(Key(directory), MergeSource.Open(directory));
            foreach (var path in models.Select(model => model.Statistics).OfType<string>())
            {
                if (!sources.statistics.ContainsKey(Key(path)))
                    sources.statistics.Add(Key(path), SafetensorsFile.Open(path));
            }

            return sources;
        }
        catch
        {
            sources.Dispose();
            throw;
        }
    }

    internal IEnumerable<MergeSource> All => byPath.Values;

    internal MergeSource this[string directory] => byPath[Key(directory)];

    /// <summary>A model's statistic for a name, or null.</summary>
    internal Tensor? Statistic(string? path, string name) =>
        path is not null && statistics[Key(path)] is var file && file.TryGetEntry(name, out _) ? file.Read(name) : null;

    internal static bool Same(string? first, string? second) => first is not null && second is not null && Key(first) == Key(second);

    public void Dispose()
    {
        foreach (var source in byPath.Values)
            source.Dispose();
        foreach (var file in statistics.Values)
            file.Dispose();
    }

    private static string Key(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}

/// <summary>One checkpoint directory: configuration and weights.</summary>
internal sealed class MergeSource : IDisposable
{
    // What decides how weights of equal shapes are used.
    private static readonly string[] Structure =
    [
        "model_type",
        "hidden_size",
        "n_embd",
        "num_attention_heads",
        "n_head",
        "num_key_value_heads",
        "head_dim",
        "intermediate_size",
        "hidden_act",
        "activation_function",
    ];

    private readonly CheckpointFiles files;

    private MergeSource(string directory, JsonObject config, CheckpointFiles files) =>
        (Directory, Config, this.files) = (directory, config, files);

    internal string Directory { get; }

    internal JsonObject Config { get; }

    /// <summary>All tensors but a second copy of tied embeddings.</summary>
    internal IEnumerable<SafetensorsEntry> Entries =>
        files.Entries.Where(entry =>
            !(
                entry.Name == "lm_head.weight"
                && Config["tie_word_embeddings"] is JsonValue tied
                && tied.TryGetValue<bool>(out var is_)
                && is_
            )
        );

    internal int Layers => Entries.Select(entry => LayerName.Of(entry.Name)?.Layer + 1 ?? 0).DefaultIfEmpty(0).Max();

    internal static MergeSource Open(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!System.IO.Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}', expected a model's.");
        using var file = ConfigFile.Open(Path.Combine(directory, CheckpointOrigin.ConfigName));
        return new MergeSource(directory, JsonObject.Create(file.Everything())!, CheckpointFiles.Open(directory));
    }

    internal SafetensorsEntry? Find(string name) => files.TryGetEntry(name, out var entry) ? entry : null;

    internal Tensor Read(string name, ScalarType? type = null)
    {
        var entry = Find(name)!;
        var tensor = empty(entry.Shape.ToArray(), dtype: type ?? entry.Type);
        files.ReadInto(name, tensor);
        return tensor;
    }

    /// <summary>Refuses a model of another structure.</summary>
    internal void CheckAgainst(MergeSource reference)
    {
        foreach (var name in Structure)
        {
            var (own, other) = (Config[name]?.ToJsonString(), reference.Config[name]?.ToJsonString());
            if (own is not null && other is not null && own != other)
                throw new InvalidDataException($"{Directory}: config.json has {name} {own}, expected {other} as in {reference.Directory}");
        }
    }

    public void Dispose() => files.Dispose();
}
