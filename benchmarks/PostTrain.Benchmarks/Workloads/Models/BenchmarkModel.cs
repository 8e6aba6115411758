using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads.Models;

/// <summary>Model of the step and generation workloads: random weights in a given shape, or a pretrained model that is looked for on the
/// disk.</summary>
/// <param name="Name">As in a workload's size.</param>
/// <param name="Length">Tokens in a row of a training step.</param>
/// <param name="Random">Shape of a random model; null for a pretrained one.</param>
/// <param name="Directory">Name of a pretrained model's directory; null for a random one.</param>
internal sealed record BenchmarkModel(string Name, int Length, DecoderConfig? Random, string? Directory)
{
    /// <summary>Rows of a training step.</summary>
    public const int Rows = 8;

    /// <summary>All models, the smallest first.</summary>
    public static IReadOnlyList<BenchmarkModel> All { get; } =
    [
        new("toy", 128, Llama(layers: 2, width: 64, heads: 4, keyValueHeads: 4, feedForward: 172, vocabulary: 512), null),
        new("260k", 128, null, "stories260K-hf"),
        new("5m", 64, null, "craftgpt-5m"),
        new("30m", 128, Llama(layers: 8, width: 512, heads: 8, keyValueHeads: 4, feedForward: 1408, vocabulary: 8192), null),
    ];

    /// <summary>The names of all models.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(model => model.Name)];

    /// <summary>The model of a name.</summary>
    public static BenchmarkModel Of(string name) => All.Single(model => model.Name == name);

    /// <summary>Says which directory is missing; null where the model can be loaded.</summary>
    public string? Missing =>
        Directory is null || Folder is not null ? null : $"there is no {Directory} in POSTTRAIN_MODELS or ../shared/models";

    /// <summary>The directory of a pretrained model; null for a random one or where it is missing.</summary>
    public string? Folder =>
        Directory is null ? null : Folders().Select(folder => Path.Combine(folder, Directory)).FirstOrDefault(System.IO.Directory.Exists);

    /// <summary>Loads or makes the model; the caller disposes it.</summary>
    public Decoder Load(ScalarType type) => Random is { } config ? Decoder.Create(config, seed: 0, type) : Pretrained.Load(Folder!, type);

    private static IEnumerable<string> Folders()
    {
        if (Environment.GetEnvironmentVariable("POSTTRAIN_MODELS") is { Length: > 0 } named)
        {
            yield return named;
            yield break;
        }
        for (var parent = new DirectoryInfo(AppContext.BaseDirectory); parent is not null; parent = parent.Parent)
            yield return Path.Combine(parent.FullName, "shared", "models");
    }

    private static DecoderConfig Llama(int layers, int width, int heads, int keyValueHeads, int feedForward, int vocabulary) =>
        new()
        {
            VocabularySize = vocabulary,
            ContextLength = 512,
            HiddenSize = width,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            FeedForwardSize = feedForward,
        };
}
