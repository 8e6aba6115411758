using PostTrain.Models.Heads;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Reads and writes checkpoint directories of Hugging Face's transformers: <c>config.json</c> with <c>model.safetensors</c>, or
/// with shards and <c>model.safetensors.index.json</c>. One call for every supported architecture of <c>config.json</c>: <c>gpt2</c>,
/// <c>llama</c>, <c>mistral</c>, <c>qwen2</c>, <c>qwen3</c>, <c>gemma</c>, <c>gemma2</c>, <c>gemma3_text</c> and <c>phi3</c>.</summary>
/// <remarks>
/// Weights are copied from the mapped file directly into the parameters: loading needs the model's memory and a few megabytes. Saving
/// writes what transformers would write, and loading it gives the same bits; settings of <c>config.json</c> and
/// <c>generation_config.json</c> that the decoder does not use are written back.
/// <para>Saving writes everything beside the old files and then renames: an earlier failure leaves the old checkpoint unchanged.</para>
/// </remarks>
public static partial class Pretrained
{
    private const string ValueWeight = CheckpointLeftovers.ValueHeadPrefix + "summary.weight";
    private const string ValueBias = CheckpointLeftovers.ValueHeadPrefix + "summary.bias";

    /// <summary>Loads a decoder.</summary>
    /// <remarks>Every tensor of the files is read or checked: a second copy of a tied embedding must equal it, constant buffers of older
    /// files must have the architecture's values, and a critic's <c>v_head</c> is left to <see cref="LoadCritic"/>; any other tensor
    /// without a place in the model is rejected by name.</remarks>
    /// <param name="directory">The directory of config.json and the weights.</param>
    /// <param name="type">Type of the weights in memory; null takes the stored type. bfloat16 trains in mixed precision (<see
    /// cref="Training.Optimization"/>); float16 cannot be trained.</param>
    /// <returns>The model, on the CPU; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="FileNotFoundException">config.json or the weights are missing; also if there are only Python's pickled
    /// weights.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, the architecture is not supported, or tensors are missing, unexpected or
    /// differ in shape from the configuration; the message names the file, its content and the expected content.</exception>
    public static Decoder Load(string directory, ScalarType? type = null)
    {
        using var file = OpenConfig(directory);
        var config = Architectures.Read(file);
        using var tensors = CheckpointFiles.Open(directory);
        return Build(config, tensors, type, CheckpointOrigin.Of(file, directory), (model, _) => model);
    }

    /// <summary>Loads a model that scores texts: <c>…ForSequenceClassification</c>, and <c>…ForTokenClassification</c> with the head
    /// <c>score</c>.</summary>
    /// <param name="directory">As in <see cref="Load"/>; the weights hold <c>score.weight</c>, [K,D].</param>
    /// <param name="type">As in <see cref="Load"/>.</param>
    /// <returns>The model, on the CPU; the caller disposes it.</returns>
    /// <exception cref="InvalidDataException">As in <see cref="Load"/>, or there is no head.</exception>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static SequenceClassifier LoadRewardModel(string directory, ScalarType? type = null)
    {
        using var file = OpenConfig(directory);
        // A classifier has no output projection, whatever the configuration says about the language model.
        var config = Architectures.Read(file) with
        {
            TiedEmbeddings = true,
        };
        using var tensors = CheckpointFiles.Open(directory);
        if (!tensors.TryGetEntry("score.weight", out var entry) || entry.Shape.Count != 2 || entry.Shape[0] is < 1 or > int.MaxValue)
            throw new InvalidDataException(
                $"{tensors.Path}: there is no tensor 'score.weight' [labels,{config.HiddenSize}], the head of a reward model."
            );
        var labels = (int)entry.Shape[0];
        if (file.OptionalCount("id2label") is { } named && named != labels)
            throw file.Error("id2label", $"an object of {named} labels", $"{labels}, as score.weight has rows");
        var origin = CheckpointOrigin.Of(file, directory);
        return Build(
            config,
            tensors,
            type,
            origin: null,
            (body, weights) =>
            {
                var bias = tensors.TryGetEntry("score.bias", out _);
                var head = weights.Linear("score", config.HiddenSize, labels, bias, WeightRole.Embedding);
                foreach (var parameter in head.parameters())
                    parameter.DetachFromDisposeScope();
                return new SequenceClassifier(body, head, config.PaddingId) { Origin = origin };
            }
        );
    }

    /// <summary>Loads a checkpoint's critic head onto a loaded model, whose body it shares.</summary>
    /// <param name="directory">As in <see cref="Load"/>; the weights hold <c>v_head.summary.weight</c>, [1,D], as TRL writes them.</param>
    /// <param name="body">The model with the hidden states; it stays the caller's.</param>
    /// <returns>The head; the caller disposes it.</returns>
    /// <exception cref="InvalidDataException">A file is malformed, or there is no head for this body.</exception>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static ValueHead LoadValueHead(string directory, CausalLm body)
    {
        ArgumentNullException.ThrowIfNull(body);
        ThrowIfNoDirectory(directory);
        using var tensors = CheckpointFiles.Open(directory);
        return ReadValueHead(tensors, body, ownsBody: false);
    }

    /// <summary>Loads a critic with its own body: the checkpoint's model and its <c>v_head</c>.</summary>
    /// <param name="directory">As in <see cref="LoadValueHead"/>.</param>
    /// <param name="type">Type of the body's weights, as in <see cref="Load"/>.</param>
    /// <returns>The critic, on the CPU; the caller disposes it.</returns>
    /// <inheritdoc cref="LoadValueHead" path="/exception"/>
    public static ValueHead LoadCritic(string directory, ScalarType? type = null)
    {
        using var file = OpenConfig(directory);
        var config = Architectures.Read(file);
        using var tensors = CheckpointFiles.Open(directory);
        return Build(
            config,
            tensors,
            type,
            CheckpointOrigin.Of(file, directory),
            (body, _) => ReadValueHead(tensors, body, ownsBody: true)
        );
    }

    private static ConfigFile OpenConfig(string directory)
    {
        ThrowIfNoDirectory(directory);
        return ConfigFile.Open(Path.Combine(directory, CheckpointOrigin.ConfigName));
    }

    private static void ThrowIfNoDirectory(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}'.");
    }

    // On failure everything created is released.
    private static T Build<T>(
        DecoderConfig config,
        CheckpointFiles tensors,
        ScalarType? type,
        CheckpointOrigin? origin,
        Func<Decoder, CheckpointWeights, T> finish
    )
        where T : nn.Module
    {
        // A slot for each layer is made before its weights are looked up: a hostile layer count would take all memory.
        if (config.Layers > tensors.Entries.Count())
            throw new InvalidDataException(
                $"{tensors.Path}: the configuration has {config.Layers} layers and there are {tensors.Entries.Count()} tensors in "
                    + "all; at least one of each layer is missing."
            );
        var weights = new CheckpointWeights(tensors, config, type ?? CheckpointWeights.StoredType(tensors, config));
        var decoder = new Decoder(config, weights) { Origin = origin };
        nn.Module model = decoder;
        try
        {
            using var scope = NewDisposeScope();
            var result = finish(decoder, weights);
            model = result;
            weights.Finish(decoder, result is SequenceClassifier);
            return result;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static ValueHead ReadValueHead(CheckpointFiles tensors, CausalLm body, bool ownsBody)
    {
        if (!tensors.TryGetEntry(ValueWeight, out var weight) || !weight.Shape.SequenceEqual([1L, body.HiddenSize]))
            throw new InvalidDataException(
                $"{tensors.Path}: there is no tensor '{ValueWeight}' [1,{body.HiddenSize}], the head of a critic."
            );
        var bias = tensors.TryGetEntry(ValueBias, out var entry);
        if (bias && !entry!.Shape.SequenceEqual([1L]))
            throw new InvalidDataException(
                $"{tensors.Path}: tensor '{ValueBias}' has the shape [{string.Join(",", entry.Shape)}], expected [1]."
            );
        if (
            tensors.Entries.FirstOrDefault(other =>
                other.Name.StartsWith(CheckpointLeftovers.ValueHeadPrefix, StringComparison.Ordinal)
                && other.Name is not (ValueWeight or ValueBias)
            ) is
            { } more
        )
            throw new InvalidDataException(
                $"{tensors.Path}: tensor '{more.Name}' [{string.Join(",", more.Shape)}] is unexpected, expected '{ValueWeight}' and "
                    + $"'{ValueBias}' only."
            );
        var summary = BodyParts.Head(body, 1, bias: true, ValueHead.TypeFor(body), new HeadOptions { StandardDeviation = 0 });
        tensors.ReadInto(ValueWeight, summary.weight!);
        if (bias)
            tensors.ReadInto(ValueBias, summary.bias!);
        return new ValueHead(body, summary, ownsBody);
    }
}
