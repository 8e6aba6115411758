using System.Text.Json.Nodes;
using PostTrain.Models.Heads;
using PostTrain.Models.HuggingFace;
using PostTrain.Text;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

public static partial class Pretrained
{
    /// <summary>Saves a decoder so that transformers and <see cref="Load"/> read it; loading gives the same bits back.</summary>
    /// <param name="model">The model. Only its own parameters are written: merge adapters first. A tied output projection is not written
    /// twice.</param>
    /// <param name="directory">Created where it does not exist; an earlier checkpoint in it is replaced.</param>
    /// <param name="options">The size of shards and the type; null: the defaults.</param>
    /// <exception cref="NotSupportedException">The model is not a <see cref="Decoder"/>, or no architecture can express its
    /// configuration.</exception>
    /// <exception cref="IOException">The files could not be written; an earlier checkpoint is as it was.</exception>
    public static void Save(CausalLm model, string directory, SaveOptions? options = null)
    {
        var decoder = Savable(model);
        Write(decoder, [.. Weights(decoder)], directory, options, _ => { }, decoder.Origin?.Generation);
    }

    /// <summary>Saves a decoder with its tokenizer, chat template and settings of generation: a directory that transformers,
    /// <see cref="Load"/> and <see cref="TokenizerFiles.Load"/> read whole.</summary>
    /// <param name="model">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>.</param>
    /// <param name="tokenizer">Its <see cref="ITokenizer.Files"/> are written beside the weights.</param>
    /// <param name="directory">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>; the files of an earlier tokenizer in it are
    /// replaced.</param>
    /// <param name="options">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>.</param>
    /// <exception cref="NotSupportedException">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>, or the tokenizer has no form on
    /// disk; nothing is written.</exception>
    /// <exception cref="IOException">The files could not be written; no file is left half-written.</exception>
    public static void Save(CausalLm model, ITokenizer tokenizer, string directory, SaveOptions? options = null)
    {
        TokenizerFiles.ThrowIfNotSavable(tokenizer);
        Save(model, directory, options);
        TokenizerFiles.Save(tokenizer, directory);
    }

    /// <summary>Saves a reward model so that transformers (<c>AutoModelForSequenceClassification</c>, or <c>…TokenClassification</c> where
    /// the head has a bias) and <see cref="LoadRewardModel"/> read it.</summary>
    /// <param name="model">The model; only its body's own parameters and its head are written.</param>
    /// <param name="directory">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>.</param>
    /// <param name="options">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>.</param>
    /// <inheritdoc cref="Save(CausalLm, string, SaveOptions?)" path="/exception"/>
    public static void Save(SequenceClassifier model, string directory, SaveOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var decoder = Savable(model.Body, model.Origin);
        var head = ModuleNames.Of(decoder.Config.Naming).Head + ".weight";
        var tensors = Weights(decoder).Where(item => item.Name != head).Concat(Parts("score", model.Head)).ToList();
        Write(
            decoder,
            tensors,
            directory,
            options,
            config => CheckpointConfig.MakeClassifier(config, model.Labels, model.Head.bias is not null, model.PaddingId),
            (model.Origin ?? decoder.Origin)?.Generation,
            model.Origin
        );
    }

    /// <summary>Saves a critic: its body's checkpoint with <c>v_head.summary.weight</c> and <c>v_head.summary.bias</c> among the weights,
    /// as TRL's <c>AutoModelForCausalLMWithValueHead</c> reads it. On a shared body this saves the policy too.</summary>
    /// <param name="head">The head with its body.</param>
    /// <param name="directory">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>.</param>
    /// <param name="options">As in <see cref="Save(CausalLm, string, SaveOptions?)"/>.</param>
    /// <inheritdoc cref="Save(CausalLm, string, SaveOptions?)" path="/exception"/>
    public static void Save(ValueHead head, string directory, SaveOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(head);
        var decoder = Savable(head.Body);
        Write(
            decoder,
            [.. Weights(decoder), .. Parts("v_head.summary", head.Summary)],
            directory,
            options,
            _ => { },
            decoder.Origin?.Generation
        );
    }

    private static Decoder Savable(CausalLm model, CheckpointOrigin? origin = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model is not Decoder decoder)
            throw new NotSupportedException(
                $"A {model.GetType().Name} cannot be saved as a checkpoint of transformers, only a {nameof(Decoder)} can."
            );
        // What was read can be written: its configuration goes back as it came.
        if ((origin ?? decoder.Origin) is null && Architectures.WhyNotWritable(decoder.Config) is { } reason)
            throw new NotSupportedException(
                $"The model is not what transformers calls {decoder.Config.ModelType ?? decoder.Config.Naming.ToString()}: {reason}."
            );
        return decoder;
    }

    private static IEnumerable<(string Name, Tensor Tensor)> Weights(Decoder decoder) =>
        Shards.InOrderOfTransformers(decoder.Weights().Select(item => (item.Name, (Tensor)item.Parameter)));

    private static IEnumerable<(string Name, Tensor Tensor)> Parts(string name, Linear linear) =>
        linear.named_parameters().Select(item => ($"{name}.{item.name}", (Tensor)item.parameter));

    private static void Write(
        Decoder decoder,
        List<(string Name, Tensor Tensor)> tensors,
        string directory,
        SaveOptions? options,
        Action<JsonObject> edit,
        byte[]? generation,
        CheckpointOrigin? origin = null
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        options ??= new SaveOptions();
        options.Validate();
        var config = CheckpointConfig.Of(decoder.Config, origin ?? decoder.Origin, options.Type ?? decoder.TokenEmbeddings.dtype);
        edit(config);
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var stored = tensors
            .Select(item => (item.Name, CheckpointWeights.IsTransposed(decoder.Config.Naming, item.Name) ? item.Tensor.t() : item.Tensor))
            .ToList();
        CheckpointWriter.Write(directory, stored, CheckpointConfig.Bytes(config), generation, options);
    }
}
