using System.Text.Encodings.Web;
using System.Text.Json;
using PostTrain.Data;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.HuggingFace;

/// <summary>Writes a checkpoint directory so that whatever happens on the way, no reader takes a mixture of two checkpoints for
/// one.</summary>
/// <remarks>
/// Everything is written and flushed in a directory beside the old files first; what fails there (a full disk, a tensor that cannot be
/// read) leaves the old checkpoint as it was. Then the files are renamed into place: shards, index, configuration; where new shards take
/// the names of old ones, the old index goes first, so that no index names both. Shards that no index names any more are removed last.
/// </remarks>
internal static class CheckpointWriter
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    /// <param name="directory">Created where it does not exist.</param>
    /// <param name="tensors">Names and tensors, in the order in which shards take them.</param>
    /// <param name="config">The bytes of config.json.</param>
    /// <param name="generation">The bytes of generation_config.json, or null to leave what is there.</param>
    /// <param name="options">Checked by the caller.</param>
    public static void Write(
        string directory,
        IReadOnlyList<(string Name, Tensor Tensor)> tensors,
        byte[] config,
        byte[]? generation,
        SaveOptions options
    )
    {
        Directory.CreateDirectory(directory);
        var staging = Path.Combine(directory, $".save-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(staging);
            var shards = Shards.Plan(tensors, options.Type, options.MaxShardBytes);
            foreach (var (file, part) in shards)
                SafetensorsWriter.Write(Path.Combine(staging, file), part, Metadata, options.Type);
            if (shards.Count > 1)
                AtomicFile.Write(
                    Path.Combine(staging, CheckpointFiles.IndexName),
                    stream =>
                        WriteIndex(
                            stream,
                            [
                                .. shards.SelectMany(shard =>
                                    shard.Tensors.Select(item =>
                                        (item.Name, item.Tensor.NumberOfElements, Shards.Bytes(item.Tensor, options.Type), shard.File)
                                    )
                                ),
                            ]
                        )
                );
            AtomicFile.Write(Path.Combine(staging, CheckpointOrigin.ConfigName), stream => stream.Write(config));
            if (generation is not null)
                AtomicFile.Write(Path.Combine(staging, CheckpointOrigin.GenerationName), stream => stream.Write(generation));
            Publish(staging, directory, [.. shards.Select(shard => shard.File)]);
        }
        finally
        {
            DeleteQuietly(staging);
        }
    }

    private static void Publish(string staging, string directory, string[] weights)
    {
        var (single, index) = (Path.Combine(directory, CheckpointFiles.WeightsName), Path.Combine(directory, CheckpointFiles.IndexName));
        var sharded = weights.Length > 1;
        if (sharded && weights.Any(name => File.Exists(Path.Combine(directory, name))))
            File.Delete(index);
        foreach (var name in weights)
            Move(staging, directory, name);
        if (sharded)
        {
            Move(staging, directory, CheckpointFiles.IndexName);
            File.Delete(single);
        }

        Move(staging, directory, CheckpointOrigin.ConfigName);
        if (File.Exists(Path.Combine(staging, CheckpointOrigin.GenerationName)))
            Move(staging, directory, CheckpointOrigin.GenerationName);
        if (!sharded)
            File.Delete(index);
        foreach (
            var old in Directory
                .GetFiles(directory, "model-*.safetensors")
                .Where(path => Shards.IsShard(Path.GetFileName(path)) && !weights.Contains(Path.GetFileName(path)))
        )
            File.Delete(old);
    }

    private static void Move(string from, string to, string name) =>
        File.Move(Path.Combine(from, name), Path.Combine(to, name), overwrite: true);

    /// <summary>Writes tensors that are each made when its turn comes, in files of at most so many bytes, into a directory that nobody
    /// reads yet.</summary>
    public static void Write(string directory, IReadOnlyList<SafetensorsSource> sources, long maximumBytes)
    {
        var shards = Shards.Plan(sources, source => source.Bytes, maximumBytes);
        foreach (var (file, part) in shards)
            SafetensorsWriter.Write(Path.Combine(directory, file), part, Metadata);
        if (shards.Count > 1)
            AtomicFile.Write(
                Path.Combine(directory, CheckpointFiles.IndexName),
                stream =>
                    WriteIndex(
                        stream,
                        [.. shards.SelectMany(shard => shard.Items.Select(item => (item.Name, item.Elements, item.Bytes, shard.File)))]
                    )
            );
    }

    private static void WriteIndex(Stream stream, IReadOnlyList<(string Name, long Elements, long Bytes, string File)> all)
    {
        using (
            var json = new Utf8JsonWriter(
                stream,
                new JsonWriterOptions
                {
                    Indented = true,
                    NewLine = "\n",
                    Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                }
            )
        )
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_parameters", all.Sum(item => item.Elements));
            json.WriteNumber("total_size", all.Sum(item => item.Bytes));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (name, _, _, file) in all.OrderBy(item => item.Name, StringComparer.Ordinal))
                json.WriteString(name, file);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    // The first failure is the one to report: one that follows from it must not hide it.
    private static void DeleteQuietly(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { }
    }
}
