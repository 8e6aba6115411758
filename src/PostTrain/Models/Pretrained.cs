using PostTrain.Models.Heads;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// Reads and writes checkpoint directories of Hugging Face's transformers: <c>config.json</c> with <c>model.safetensors</c>, or with shards
/// and <c>model.safetensors.index.json</c>. One call for every architecture, as <c>config.json</c> says:
/// <c>gpt2</c>, <c>llama</c>, <c>mistral</c>, <c>qwen2</c>, <c>qwen3</c>, <c>gemma</c>, <c>gemma2</c>, <c>gemma3_text</c> and <c>phi3</c>.
/// </summary>
/// <remarks>
/// Weights go from the mapped file straight into the parameters: loading takes the model's memory and a few megabytes. What is saved is
/// what transformers would save, and loads again to the same bits; settings in <c>config.json</c> and <c>generation_config.json</c> that a
/// model was loaded with and the decoder has no use for are written back.
/// <para>Saving writes everything beside the old files and then renames: what fails before leaves the old checkpoint untouched.</para>
/// </remarks>
public static partial class Pretrained
{
    private const string ValueWeight = CheckpointLeftovers.ValueHeadPrefix + "summary.weight";
    private const string ValueBias = CheckpointLeftovers.ValueHeadPrefix + "summary.bias";

    /// <summary>Loads a decoder.</summary>
    /// <remarks>Every tensor of the files is read or judged: a second copy of a tied embedding must be equal to it, constant buffers of
    /// older files must hold the architecture's values, and a critic's <c>v_head</c> is left to <see cref="LoadCritic"/>; any other tensor
    /// that the model has no place for is refused by name.</remarks>
    /// <param name="directory">Holds config.json and the weights.</param>
    /// <param name="type">Type of the weights in memory; null takes the stored one. bfloat16 trains in mixed precision
    /// (<see cref="Training.Optimization"/>); float16 does not train.</param>
    /// <returns>The model, on the CPU; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="FileNotFoundException">config.json or the weights are missing; a directory with Python's pickled weights only is
    /// one such.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, the architecture is not supported, or tensors are missing, unexpected
    /// or of another shape than the configuration says; the message names the file, what it holds and what was expected.</exception>
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
        // A classifier has no output projection, whatever the configuration says of the language model.
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

    /// <summary>Loads the critic's head of a checkpoint onto a model that is loaded already, whose body it shares.</summary>
    /// <param name="directory">As in <see cref="Load"/>; the weights hold <c>v_head.summary.weight</c>, [1,D], as TRL writes them.</param>
    /// <param name="body">The model whose hidden states are valued; it stays the caller's.</param>
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

    /// <summary>Loads a critic with a body of its own: the checkpoint's model and its <c>v_head</c>.</summary>
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

    // Everything that was made is given back where something does not fit.
    private static T Build<T>(
        DecoderConfig config,
        CheckpointFiles tensors,
        ScalarType? type,
        CheckpointOrigin? origin,
        Func<Decoder, CheckpointWeights, T> finish
    )
        where T : nn.Module
    {
        // A room for each layer is made before its weights are looked for: a layer count out of nowhere would take all memory.
        if (config.Layers > tensors.Entries.Count())
            throw new InvalidDataException(
                $"{tensors.Path}: the configuration has {config.Layers} layers and there are {tensors.Entries.Count()} tensors in all; at least one of each layer is missing."
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
                $"{tensors.Path}: tensor '{more.Name}' [{string.Join(",", more.Shape)}] is unexpected, expected '{ValueWeight}' and '{ValueBias}' only."
            );
        var summary = BodyParts.Head(body, 1, bias: true, ValueHead.TypeFor(body), new HeadOptions { StandardDeviation = 0 });
        tensors.ReadInto(ValueWeight, summary.weight!);
        if (bias)
            tensors.ReadInto(ValueBias, summary.bias!);
        return new ValueHead(body, summary, ownsBody);
    }
}
