using System.Globalization;
using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>Reads and writes checkpoint directories of transformers' <c>LlavaForConditionalGeneration</c>: a CLIP encoder, a projector of
/// two
/// layers and a language model of any supported architecture but GPT-2.</summary>
/// <remarks>The processor's files are not read: pictures come as tensors, scaled as the checkpoint's <c>preprocessor_config.json</c> says.
/// Weights are written under the names <c>language_model.model.…</c>, <c>vision_tower.vision_model.…</c> and
/// <c>multi_modal_projector.…</c>, which transformers 4 and 5 read.</remarks>
public static class Llava
{
    /// <summary>Loads a model.</summary>
    /// <param name="directory">The directory of config.json and the weights.</param>
    /// <param name="type">Type of the weights in memory; null takes the stored type of the language model's embedding.</param>
    /// <returns>The model, on the CPU, without pictures; the caller disposes it.</returns>
    /// <exception cref="FileNotFoundException">config.json or the weights are missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, a part is not supported, or a tensor is missing, unexpected or of
    /// another
    /// shape; the message names the file, its content and the expected content.</exception>
    public static VisionLm Load(string directory, ScalarType? type = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        using var file = ConfigFile.Open(Path.Combine(directory, CheckpointOrigin.ConfigName));
        var config = LlavaConfig.Read(file);
        if (config.Text.Naming == ModuleNaming.Gpt2)
            throw new InvalidDataException($"{file.Path}: the language model is GPT-2's, expected another architecture.");
        using var tensors = CheckpointFiles.Open(directory);
        if ((long)config.Text.Layers + config.Vision.Layers > tensors.Entries.Count())
            throw new InvalidDataException(
                $"{tensors.Path}: the configuration has {config.Text.Layers} and {config.Vision.Layers} layers and there are "
                    + $"{tensors.Entries.Count()} tensors in all; at least one of each layer is missing."
            );
        var stored =
            tensors.TryGetEntry($"{VisionLm.LanguageName}.model.embed_tokens.weight", out var entry) && is_floating_point(entry.Type)
                ? entry.Type
                : ScalarType.Float32;
        var made = new List<nn.Module>();
        try
        {
            var used = new HashSet<string>(StringComparer.Ordinal);
            T Part<T>(string name, Func<WeightSource, T> create)
                where T : nn.Module
            {
                var part = create(new LlavaWeights(tensors, name + ".", type ?? stored, used));
                made.Add(part);
                return part;
            }
            var language = Part(VisionLm.LanguageName, source => new Decoder(config.Text, source));
            var encoder = Part(VisionLm.EncoderName, source => new VisionEncoder(config.Vision, source));
            var projector = Part(VisionLm.ProjectorName, source => new VisionProjector(config.Projector, source));
            CheckLeft(tensors, used, language);
            return new VisionLm(language, encoder, projector)
            {
                ImageTokenId = config.ImageTokenId,
                Origin = CheckpointOrigin.Of(file, directory),
            };
        }
        catch
        {
            made.ForEach(part => part.Dispose());
            throw;
        }
    }

    /// <summary>Saves a model so that transformers and <see cref="Load"/> read it; loading gives the same bits back.</summary>
    /// <param name="model">Its language model is a <see cref="Decoder"/>, and its <see cref="VisionLm.ImageTokenId"/> is known. Only its
    /// own
    /// parameters are written: merge adapters first. The pictures are not written.</param>
    /// <param name="directory">Created where it does not exist; an earlier checkpoint in it is replaced.</param>
    /// <param name="options">The size of shards and the type; null: the defaults.</param>
    /// <exception cref="NotSupportedException">The language model is no <see cref="Decoder"/>, or its configuration cannot be
    /// expressed.</exception>
    /// <exception cref="ArgumentException">The model has no <see cref="VisionLm.ImageTokenId"/> in its vocabulary.</exception>
    /// <exception cref="IOException">The files could not be written; an earlier checkpoint is as it was.</exception>
    public static void Save(VisionLm model, string directory, SaveOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        options ??= new SaveOptions();
        options.Validate();
        if (model.Language is not Decoder { Config.Naming: not ModuleNaming.Gpt2 } decoder)
            throw new NotSupportedException(
                $"A {model.Language.GetType().Name} cannot be saved in a checkpoint of LLaVA, "
                    + $"only a {nameof(Decoder)} that is not GPT-2's can."
            );
        if (model.ImageTokenId is not { } image || image < 0 || image >= model.VocabularySize)
            throw new ArgumentException(
                $"ImageTokenId is {model.ImageTokenId?.ToString(CultureInfo.InvariantCulture) ?? "null"}, expected the id "
                    + $"of the vocabulary, 0 to {model.VocabularySize - 1}, that stands for a picture.",
                nameof(model)
            );
        if (model.Origin is null && Architectures.WhyNotWritable(decoder.Config) is { } reason)
            throw new NotSupportedException($"The language model is not one of transformers: {reason}.");
        var dtype = CheckpointConfig.NameOf(options.Type ?? decoder.TokenEmbeddings.dtype);
        JsonObject config;
        if (model.Origin is { } origin)
        {
            config = JsonObject.Create(origin.Config.Clone())!;
            config[config.ContainsKey("torch_dtype") && !config.ContainsKey("dtype") ? "torch_dtype" : "dtype"] = dtype;
        }
        else
        {
            config = new LlavaConfig(decoder.Config, model.Encoder.Config, model.Projector.Options, image).Write(dtype);
        }
        using var mode = no_grad();
        (string, Tensor)[] tensors =
        [
            .. decoder.Weights().Select(item => ($"{VisionLm.LanguageName}.{item.Name}", (Tensor)item.Parameter)),
            .. Own(model.Encoder, VisionLm.EncoderName),
            .. Own(model.Projector, VisionLm.ProjectorName),
        ];
        CheckpointWriter.Write(directory, tensors, CheckpointConfig.Bytes(config), model.Origin?.Generation, options);
    }

    /// <summary>Saves a model with its tokenizer.</summary>
    /// <param name="model">As in <see cref="Save(VisionLm, string, SaveOptions?)"/>.</param>
    /// <param name="tokenizer">The language model's tokenizer, not a <see cref="PictureTokenizer"/>.</param>
    /// <param name="directory">As in <see cref="Save(VisionLm, string, SaveOptions?)"/>.</param>
    /// <param name="options">As in <see cref="Save(VisionLm, string, SaveOptions?)"/>.</param>
    /// <inheritdoc cref="Save(VisionLm, string, SaveOptions?)" path="/exception"/>
    public static void Save(VisionLm model, ITokenizer tokenizer, string directory, SaveOptions? options = null)
    {
        TokenizerFiles.ThrowIfNotSavable(tokenizer);
        Save(model, directory, options);
        TokenizerFiles.Save(tokenizer, directory);
    }

    private static IEnumerable<(string, Tensor)> Own(nn.Module part, string name) =>
        part.named_parameters().Select(item => ($"{name}.{item.name}", (Tensor)item.parameter));

    // Nothing else may be in the files but what adds nothing: a tied head's second copy and the encoder's numbering of positions.
    private static void CheckLeft(CheckpointFiles tensors, HashSet<string> used, Decoder language)
    {
        using var mode = no_grad();
        foreach (var entry in tensors.Entries.Where(entry => !used.Contains(entry.Name)))
        {
            using var scope = NewDisposeScope();
            if (entry.Name.EndsWith(".embeddings.position_ids", StringComparison.Ordinal))
                continue;
            if (
                entry.Name == $"{VisionLm.LanguageName}.lm_head.weight"
                && language.Config.TiedEmbeddings
                && entry.Shape.SequenceEqual(language.TokenEmbeddings.shape)
            )
            {
                var copy = empty(language.TokenEmbeddings.shape, dtype: language.TokenEmbeddings.dtype);
                tensors.ReadInto(entry.Name, copy);
                if (copy.eq(language.TokenEmbeddings).all().ToBoolean())
                    continue;
            }
            throw new InvalidDataException($"{tensors.Path}: tensor '{entry.Name}' [{string.Join(",", entry.Shape)}] is unexpected.");
        }
    }
}
