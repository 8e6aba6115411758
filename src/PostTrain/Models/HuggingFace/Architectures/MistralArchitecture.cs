using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>Mistral: Llama without biases, with one sliding window for all layers.</summary>
internal sealed class MistralArchitecture : RotaryArchitecture
{
    public override string ModelType => "mistral";

    public override string ClassName => "MistralForCausalLM";

    // A missing window means transformers' default; null means no window.
    public override DecoderConfig Read(ConfigFile file)
    {
        var window = file.Has("sliding_window") ? file.OptionalSize("sliding_window") : 4096;
        var config = ReadSizes(file);
        return config with
        {
            KeyValueHeads = config.KeyValueHeads == 0 && !file.Has("num_key_value_heads") ? 8 : config.KeyValueHeads,
            Attention = config.Attention.With(spec => spec with { Window = window }),
        };
    }

    public override DecoderConfig Nearest(DecoderConfig config)
    {
        var nearest = base.Nearest(config);
        return nearest with { Attention = nearest.Attention.With(spec => spec with { Window = config.Attention[0].Window }) };
    }

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        LayerTypes.WriteWindow(json, config.Attention[0].Window);
    }
}
