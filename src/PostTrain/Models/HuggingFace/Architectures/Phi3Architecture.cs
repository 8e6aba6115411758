using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>Phi-3, Phi-3.5 and Phi-4-mini: Llama with fused projections and an optional sliding window.</summary>
internal sealed class Phi3Architecture : RotaryArchitecture
{
    public override string ModelType => "phi3";

    public override string ClassName => "Phi3ForCausalLM";

    public override DecoderConfig Read(ConfigFile file)
    {
        var config = ReadSizes(file);
        var window = file.OptionalSize("sliding_window");
        return config with { FusedProjections = true, Attention = config.Attention.With(spec => spec with { Window = window }) };
    }

    public override DecoderConfig Nearest(DecoderConfig config)
    {
        var nearest = base.Nearest(config);
        return nearest with
        {
            FusedProjections = true,
            Attention = nearest.Attention.With(spec => spec with { Window = config.Attention[0].Window }),
        };
    }

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        LayerTypes.WriteWindow(json, config.Attention[0].Window);
    }
}
