using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>Gemma 2, and its common part with Gemma 3: norms on both sides, an own scale, soft caps, alternating sliding and full
/// layers.</summary>
internal class Gemma2Architecture : GemmaArchitecture
{
    public override string ModelType => "gemma2";

    public override string ClassName => "Gemma2ForCausalLM";

    // Null means no cap; a missing cap means transformers' default.
    public override DecoderConfig Read(ConfigFile file) =>
        ReadLayers(file, ReadGemma(file, 10_000), full => full, period: 2, attentionCap: 50, logitCap: 30);

    public override DecoderConfig Nearest(DecoderConfig config)
    {
        var (nearest, attention) = (base.Nearest(config), config.Attention);
        var full = NearestSpec(config) with { Window = null };
        var sliding = Sliding(config, full) with { Window = LayerTypes.Window(config) };
        return nearest with
        {
            NormPlacement = NormPlacement.BeforeAndAfter,
            LogitSoftCap = config.LogitSoftCap,
            Attention = attention.With(spec => spec.Window is null ? full : sliding),
        };
    }

    public override void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        base.Write(json, config);
        var spec = config.Attention[0];
        // The scale is scalar^(-1/2).
        json.WriteNumber("query_pre_attn_scalar", spec.Scale is { } scale ? Scalar(scale) : config.HeadSize);
        WriteCap(json, "attn_logit_softcapping", spec.SoftCap);
        WriteCap(json, "final_logit_softcapping", config.LogitSoftCap);
        if (LayerTypes.Window(config) is { } window)
            json.WriteNumber("sliding_window", window);
        LayerTypes.Write(json, config);
    }

    /// <summary>Returns the attention of layers with a window, if its rotary embedding and norms differ from those of full
    /// layers.</summary>
    protected virtual AttentionSpec Sliding(DecoderConfig config, AttentionSpec full) => full;

    protected override RotarySpec MainRotary(DecoderConfig config) => NearestSpec(config).Rotary!;

    protected static DecoderConfig ReadLayers(
        ConfigFile file,
        DecoderConfig config,
        Func<AttentionSpec, AttentionSpec> sliding,
        int period,
        double? attentionCap,
        double? logitCap
    )
    {
        var scalar = file.Number("query_pre_attn_scalar", 256);
        if (!(scalar > 0))
            throw file.Error("query_pre_attn_scalar", FormattableString.Invariant($"{scalar}"), "a number above 0");
        var full = config.Attention[0] with
        {
            Scale = scalar == config.HeadSize ? null : Math.Pow(scalar, -0.5),
            SoftCap = file.Has("attn_logit_softcapping") ? file.OptionalNumber("attn_logit_softcapping") : attentionCap,
        };
        var near = sliding(full) with { Window = file.OptionalSize("sliding_window") ?? 4096 };
        var otherwise = AttentionLayers.Create([.. Enumerable.Repeat(near, period - 1), full]);
        return config with
        {
            NormPlacement = NormPlacement.BeforeAndAfter,
            LogitSoftCap = file.Has("final_logit_softcapping") ? file.OptionalNumber("final_logit_softcapping") : logitCap,
            Attention = LayerTypes.Read(file, config.Layers, full, near, otherwise),
        };
    }

    /// <summary>Returns the attention of the full layers, or of the first layer if there are none.</summary>
    protected static AttentionSpec NearestSpec(DecoderConfig config)
    {
        var spec = config.Attention.FirstOrDefault(spec => spec.Window is null) ?? config.Attention[0];
        return new AttentionSpec
        {
            Rotary = spec.Rotary ?? new RotarySpec(),
            Scale = spec.Scale,
            SoftCap = spec.SoftCap,
        };
    }

    // Written as the integer that was read, if it was one: (n^(-1/2))^(-2) is not n to the last bit.
    private static double Scalar(double scale)
    {
        var scalar = Math.Pow(scale, -2);
        var whole = Math.Round(scalar);
        return Math.Pow(whole, -0.5) == scale ? whole : scalar;
    }

    private static void WriteCap(Utf8JsonWriter json, string name, double? cap)
    {
        if (cap is { } value)
            json.WriteNumber(name, value);
        else
            json.WriteNull(name);
    }
}
