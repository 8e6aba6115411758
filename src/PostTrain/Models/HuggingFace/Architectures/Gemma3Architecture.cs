using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>Gemma 3, text only: Gemma 2 with normalised queries and keys, and a different rotary embedding in the layers with a
/// window.</summary>
internal sealed class Gemma3Architecture : Gemma2Architecture
{
    private const double LocalTheta = 10_000;

    public override string ModelType => "gemma3_text";

    public override string ClassName => "Gemma3ForCausalLM";

    public override DecoderConfig Read(ConfigFile file)
    {
        var config = ReadGemma(file, 1_000_000);
        var normed = config with { Attention = config.Attention.With(spec => spec with { QueryKeyNorm = true }) };
        var local = RopeParameters.ReadLocal(file, LocalTheta);
        return ReadLayers(file, normed, full => full with { Rotary = local }, file.OptionalSize("sliding_window_pattern") ?? 6, null, null);
    }

    public override DecoderConfig Nearest(DecoderConfig config)
    {
        var nearest = base.Nearest(config);
        return nearest with { Attention = nearest.Attention.With(spec => spec with { QueryKeyNorm = true }) };
    }

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        if (config.Attention.FirstOrDefault(spec => spec.Window is not null) is { } local)
            json.WriteNumber("rope_local_base_freq", local.Rotary!.Theta);
    }

    // The file can describe only a plain rotary embedding for them.
    protected override AttentionSpec Sliding(DecoderConfig config, AttentionSpec full)
    {
        var local = config.Attention.FirstOrDefault(spec => spec.Window is not null)?.Rotary;
        return full with { Rotary = new RotarySpec { Theta = local?.Theta ?? LocalTheta } };
    }
}
