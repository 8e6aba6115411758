using System.Diagnostics.CodeAnalysis;
using static TorchSharp.torch;

namespace PostTrain.Models.HuggingFace;

/// <summary>The weights of a checkpoint directory: one <c>model.safetensors</c>, or the shards listed in
/// <c>model.safetensors.index.json</c>.</summary>
internal sealed class CheckpointFiles : IDisposable
{
    public const string WeightsName = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> files = [];
    private readonly Dictionary<string, SafetensorsFile> owners = new(StringComparer.Ordinal);

    private CheckpointFiles(string path) => Path = path;

    /// <summary>The file that lists the tensors: the weights file or the index.</summary>
    public string Path { get; }

    /// <summary>All tensors.</summary>
    public IEnumerable<SafetensorsEntry> Entries => files.SelectMany(file => file.Entries);

    /// <summary>Opens a directory's weights; if both forms exist, the single file, as in transformers.</summary>
    /// <exception cref="FileNotFoundException">There are no weights in this format.</exception>
    /// <exception cref="InvalidDataException">A file or the index is malformed, or they contradict each other; the message names the file
    /// and the reason.</exception>
    public static CheckpointFiles Open(string directory)
    {
        var (single, index) = (System.IO.Path.Combine(directory, WeightsName), System.IO.Path.Combine(directory, IndexName));
        if (!File.Exists(single) && !File.Exists(index))
            throw Missing(directory, single);
        var checkpoint = new CheckpointFiles(File.Exists(single) ? single : index);
        try
        {
            if (checkpoint.Path == single)
                checkpoint.Add(SafetensorsFile.Open(single));
            else
                checkpoint.OpenShards(directory, ShardIndex.Read(index));
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public bool TryGetEntry(string name, [NotNullWhen(true)] out SafetensorsEntry? entry)
    {
        entry = null;
        return owners.TryGetValue(name, out var file) && file.TryGetEntry(name, out entry);
    }

    /// <inheritdoc cref="SafetensorsFile.ReadInto"/>
    public void ReadInto(string name, Tensor destination) => owners[name].ReadInto(name, destination);

    public void Dispose() => files.ForEach(file => file.Dispose());

    private void OpenShards(string directory, IReadOnlyDictionary<string, string> map)
    {
        foreach (var name in map.Values.Distinct(StringComparer.Ordinal))
        {
            var path = System.IO.Path.Combine(directory, name);
            if (!File.Exists(path))
                throw new InvalidDataException(
                    $"{Path}: the shard '{name}' is missing; {map.Values.Count(value => value == name)} tensors are in it."
                );
            var file = Add(SafetensorsFile.Open(path));
            foreach (var entry in file.Entries)
            {
                if (!map.TryGetValue(entry.Name, out var owner) || owner != name)
                    throw new InvalidDataException(
                        $"{Path}: the shard '{name}' holds the tensor '{entry.Name}', which the index "
                            + $"{(owner is null ? "does not name" : $"places in '{owner}'")}."
                    );
            }
        }

        foreach (var (name, shard) in map)
        {
            if (!owners.ContainsKey(name))
                throw new InvalidDataException($"{Path}: the tensor '{name}' is not in the shard '{shard}', where the index places it.");
        }
    }

    // A tensor in two shards is rejected before the second is added: the index places it in one of them only.
    private SafetensorsFile Add(SafetensorsFile file)
    {
        files.Add(file);
        foreach (var entry in file.Entries)
            owners.TryAdd(entry.Name, file);
        return file;
    }

    private static FileNotFoundException Missing(string directory, string path)
    {
        var pickled = Directory.EnumerateFiles(directory, "pytorch_model*.bin").FirstOrDefault();
        return new FileNotFoundException(
            pickled is null
                ? $"There is no file '{path}' and no '{IndexName}'; a checkpoint directory has config.json and {WeightsName}, "
                    + $"or shards with {IndexName}."
                : $"'{directory}' holds its weights only as {System.IO.Path.GetFileName(pickled)}, Python's pickle format, "
                    + $"which is a program and is not run here; "
                    + $"expected {WeightsName}: load and save the model once with transformers, which writes it.",
            path
        );
    }
}
