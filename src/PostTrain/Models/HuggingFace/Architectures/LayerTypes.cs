using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>The field <c>layer_types</c>: the layers with a sliding window.</summary>
internal static class LayerTypes
{
    private const string Sliding = "sliding_attention";
    private const string Full = "full_attention";

    // Limit of a list made from a count alone; no model has nearly as many layers.
    private const int MaximumLayers = 100_000;

    /// <summary>Reads the layers' attention: <paramref name="full"/>, or <paramref name="sliding"/> if the file's list says so.</summary>
    /// <param name="file">The configuration; its list has one entry per layer, or is absent.</param>
    /// <param name="layers">Number of layers.</param>
    /// <param name="full">The attention of layers without a window.</param>
    /// <param name="sliding">The attention of layers with one.</param>
    /// <param name="otherwise">The layers' attention without a list.</param>
    public static AttentionLayers Read(ConfigFile file, int layers, AttentionSpec full, AttentionSpec sliding, AttentionLayers otherwise)
    {
        if (file.OptionalTexts("layer_types") is not { } types)
            return otherwise;
        if (types.Count != layers)
            throw file.Error("layer_types", $"a list of {types.Count}", $"one entry for each of the {layers} layers");
        return AttentionLayers.Create([
            .. types.Select(type =>
                type switch
                {
                    Sliding => sliding,
                    Full => full,
                    _ => throw file.Error("layer_types", $"a list with '{type}'", $"'{Sliding}' or '{Full}'"),
                }
            ),
        ]);
    }

    /// <summary>Returns full attention before layer <paramref name="first"/> and a sliding window from that layer on.</summary>
    public static AttentionLayers SlidingFrom(ConfigFile file, int first, int layers, AttentionSpec full, AttentionSpec sliding)
    {
        if (first >= layers)
            return [full];
        if (layers > MaximumLayers)
            throw file.Error("num_hidden_layers", $"{layers}", $"at most {MaximumLayers}");
        return AttentionLayers.Create([.. Enumerable.Range(0, layers).Select(layer => layer < first ? full : sliding)]);
    }

    public static void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteStartArray("layer_types");
        for (var layer = 0; layer < config.Layers; layer++)
            json.WriteStringValue(config.Attention[layer].Window is null ? Full : Sliding);
        json.WriteEndArray();
    }

    /// <summary>Returns the window of the layers that have one.</summary>
    public static int? Window(DecoderConfig config) =>
        config.Attention.Select(spec => spec.Window).FirstOrDefault(window => window is not null);

    public static void WriteWindow(Utf8JsonWriter json, int? window)
    {
        if (window is { } size)
            json.WriteNumber("sliding_window", size);
        else
            json.WriteNull("sliding_window");
    }
}
