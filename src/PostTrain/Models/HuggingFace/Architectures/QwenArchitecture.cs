using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>The common part of Qwen 2 and 3: an optional sliding window in the layers from <c>max_window_layers</c> on.</summary>
internal abstract class QwenArchitecture : RotaryArchitecture
{
    /// <summary>Returns the configuration with the layers' windows.</summary>
    protected static DecoderConfig WithWindows(ConfigFile file, DecoderConfig config)
    {
        var window = file.Has("sliding_window") ? file.OptionalSize("sliding_window") : 4096;
        var full = config.Attention[0];
        var sliding = full with { Window = file.Flag("use_sliding_window", false) ? window : null };
        // The list is read even without a window, so that an unknown layer type is rejected.
        var otherwise = sliding.Window is null
            ? config.Attention
            : LayerTypes.SlidingFrom(file, file.Count("max_window_layers", 28), config.Layers, full, sliding);
        return config with { Attention = LayerTypes.Read(file, config.Layers, full, sliding, otherwise) };
    }

    /// <summary>Returns each layer's own window, if there is only one size.</summary>
    protected static AttentionLayers OwnWindows(DecoderConfig config, AttentionSpec full)
    {
        var window = LayerTypes.Window(config);
        return config.Attention.With(spec => full with { Window = spec.Window is null ? null : window });
    }

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        var window = LayerTypes.Window(config);
        json.WriteBoolean("use_sliding_window", window is not null);
        LayerTypes.WriteWindow(json, window);
        LayerTypes.Write(json, config);
    }
}

/// <summary>Qwen 2 and 2.5: a bias on queries, keys and values.</summary>
internal sealed class Qwen2Architecture : QwenArchitecture
{
    public override string ModelType => "qwen2";

    public override string ClassName => "Qwen2ForCausalLM";

    public override DecoderConfig Read(ConfigFile file) =>
        WithWindows(file, ReadSizes(file)) with
        {
            AttentionBias = true,
            AttentionOutputBias = false,
        };

    public override DecoderConfig Nearest(DecoderConfig config)
    {
        var nearest = base.Nearest(config);
        return nearest with { Attention = OwnWindows(config, nearest.Attention[0]), AttentionBias = true };
    }
}

/// <summary>Qwen 3: each head's query and key are normalised.</summary>
internal sealed class Qwen3Architecture : QwenArchitecture
{
    public override string ModelType => "qwen3";

    public override string ClassName => "Qwen3ForCausalLM";

    public override DecoderConfig Read(ConfigFile file)
    {
        var config = ReadSizes(file, headSize: 128);
        return WithWindows(file, config with { Attention = config.Attention.With(spec => spec with { QueryKeyNorm = true }) }) with
        {
            AttentionBias = file.Flag("attention_bias", false),
        };
    }

    public override DecoderConfig Nearest(DecoderConfig config)
    {
        var nearest = base.Nearest(config);
        return nearest with
        {
            Attention = OwnWindows(config, nearest.Attention[0] with { QueryKeyNorm = true }),
            AttentionBias = config.AttentionBias,
            AttentionOutputBias = config.AttentionBias,
        };
    }

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        json.WriteBoolean("attention_bias", config.AttentionBias);
    }
}
