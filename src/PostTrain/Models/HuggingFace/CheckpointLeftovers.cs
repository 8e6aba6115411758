using System.Globalization;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.HuggingFace;

/// <summary>The check of a checkpoint's tensors that no part of the model has used.</summary>
/// <remarks>A tensor may be skipped if it adds nothing to the model: the second copy of a tied embedding, and the constant buffers saved by
/// older versions of transformers (GPT-2's causal masks, rotary frequencies). Its values are compared. The two tensors of a critic's head
/// are read by another call. Everything else is an error.</remarks>
internal sealed partial class CheckpointLeftovers(CheckpointFiles file, DecoderConfig config)
{
    /// <summary>Prefix of the names of a value head's tensors, as in TRL.</summary>
    public const string ValueHeadPrefix = "v_head.";

    /// <summary>Returns the problem of an unread tensor; null if there is none.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="model">The loaded model; null if parts of it are missing, so that nothing can be compared.</param>
    /// <param name="isClassifier">True if the model has a head for scores only.</param>
    public string? Problem(SafetensorsEntry entry, Decoder? model, bool isClassifier)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var names = ModuleNames.Of(config.Naming);
        var shape = string.Join(",", entry.Shape);
        if (config.TiedEmbeddings && entry.Name == names.Head + ".weight")
            return model is null || IsCopy(entry, model.TokenEmbeddings)
                ? null
                : $"tensor '{entry.Name}' [{shape}] is not '{names.Backbone}.{names.Tokens}.weight', and the model has no "
                    + $"output projection of its own"
                    + (isClassifier ? " (it is a classifier)" : " (\"tie_word_embeddings\": false in config.json reads both)");
        if (!isClassifier && IsValueHead(entry))
            return null;
        if (Buffer(entry.Name) is { } buffer)
            return buffer.IsRight(entry)
                ? null
                : $"tensor '{entry.Name}' [{shape}] is a constant of the architecture with other values, expected {buffer.Expected}";
        var hint =
            entry.Name == "score.weight"
                ? $" (a reward model's head: {nameof(Pretrained)}.{nameof(Pretrained.LoadRewardModel)} reads it)"
                : "";
        return $"tensor '{entry.Name}' [{shape}] is unexpected{hint}";
    }

    /// <summary>Returns true if a tensor is one of the two of a critic's head for this model.</summary>
    private bool IsValueHead(SafetensorsEntry entry) =>
        entry.Name == ValueHeadPrefix + "summary.weight"
            ? entry.Shape.SequenceEqual([1L, config.HiddenSize])
            : entry.Name == ValueHeadPrefix + "summary.bias" && entry.Shape.SequenceEqual([1L]);

    // The buffers of this architecture, with or without the model prefix, in an existing layer.
    private (Func<SafetensorsEntry, bool> IsRight, string Expected)? Buffer(string name)
    {
        var match = config.Naming == ModuleNaming.Gpt2 ? Gpt2Buffer().Match(name) : RotaryBuffer().Match(name);
        if (
            !match.Success
            || (
                match.Groups["layer"] is { Success: true } layer
                && !(int.TryParse(layer.ValueSpan, CultureInfo.InvariantCulture, out var number) && number < config.Layers)
            )
        )
            return null;
        return match.Groups["part"].Value switch
        {
            "bias" => (ShowsThePast, "ones up to the diagonal"),
            "masked_bias" => (
                entry => entry.Shape.Aggregate(1L, (a, b) => a * b) == 1 && Read(entry).ToDouble() <= -1e4,
                "a number of at most -10000"
            ),
            _ when config.Attention.Any(spec => spec.Rotary is not null) => (IsFrequencies, "the configuration's frequencies"),
            _ => null,
        };
    }

    // A mask that hides no earlier position. Values above the diagonal do not matter: a decoder sees no later position.
    private bool ShowsThePast(SafetensorsEntry entry)
    {
        if (entry.Shape is not [.., var rows, var columns] || rows != columns || entry.Shape.SkipLast(2).Any(size => size != 1))
            return false;
        var mask = Read(entry);
        return mask.eq(1).logical_or(ones_like(mask).tril().eq(0)).all().ToBoolean();
    }

    // Half-precision files round them; for a scaled embedding they may be the scaled or the original frequencies.
    private bool IsFrequencies(SafetensorsEntry entry)
    {
        var tolerance = entry.Type is ScalarType.Float32 or ScalarType.Float64 ? 1e-4 : 5e-3;
        var values = Read(entry).reshape(-1).data<double>().ToArray();
        return config
            .Attention.Select(spec => spec.Rotary)
            .OfType<RotarySpec>()
            .Distinct()
            .Any(rotary =>
            {
                var size = rotary.Size(config.HeadSize);
                return new[] { RotaryScaling.Plain(rotary.Theta, size), rotary.Scaling?.Frequencies(rotary.Theta, size, 0) }
                    .OfType<double[]>()
                    .Any(expected =>
                        values.Length == expected.Length
                        && values.Zip(expected).All(pair => Math.Abs(pair.First - pair.Second) <= tolerance * pair.Second + 1e-7)
                    );
            });
    }

    private bool IsCopy(SafetensorsEntry entry, Tensor parameter)
    {
        if (!entry.Shape.SequenceEqual(parameter.shape) || !is_floating_point(entry.Type))
            return false;
        // Compared in the type in memory: rounding to the requested type is no difference.
        var values = empty(parameter.shape, dtype: parameter.dtype);
        file.ReadInto(entry.Name, values);
        return values.eq(parameter).logical_or(values.isnan().logical_and(parameter.isnan())).all().ToBoolean();
    }

    private Tensor Read(SafetensorsEntry entry)
    {
        var values = empty([.. entry.Shape], dtype: ScalarType.Float64);
        file.ReadInto(entry.Name, values);
        return values;
    }

    [GeneratedRegex(@"^(transformer\.)?h\.(?<layer>\d+)\.attn\.(?<part>bias|masked_bias)$")]
    private static partial Regex Gpt2Buffer();

    [GeneratedRegex(@"^(model\.)?((layers\.(?<layer>\d+)\.self_attn\.)?rotary_emb|rotary_emb_local)\.(original_)?inv_freq$")]
    private static partial Regex RotaryBuffer();
}
