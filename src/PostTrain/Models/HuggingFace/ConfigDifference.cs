using System.Globalization;

namespace PostTrain.Models.HuggingFace;

/// <summary>The properties of a configuration that an architecture cannot express.</summary>
internal static class ConfigDifference
{
    // Everything that affects the computation. Sizes are free in every architecture unless derived.
    private static readonly (string Name, Func<DecoderConfig, object?> Value)[] Properties =
    [
        (nameof(DecoderConfig.Naming), config => config.Naming),
        (nameof(DecoderConfig.Normalization), config => config.Normalization),
        (nameof(DecoderConfig.NormPlacement), config => config.NormPlacement),
        (nameof(DecoderConfig.Attention), config => config.Attention),
        (nameof(DecoderConfig.FusedProjections), config => config.FusedProjections),
        (nameof(DecoderConfig.GatedFeedForward), config => config.GatedFeedForward),
        (nameof(DecoderConfig.AttentionBias), config => config.AttentionBias),
        (nameof(DecoderConfig.AttentionOutputBias), config => config.AttentionOutputBias),
        (nameof(DecoderConfig.FeedForwardBias), config => config.FeedForwardBias),
        (nameof(DecoderConfig.EmbeddingScale), config => config.EmbeddingScale),
        (nameof(DecoderConfig.LogitSoftCap), config => config.LogitSoftCap),
        (nameof(DecoderConfig.KeyValueHeads), config => config.KeyValueHeads),
        (nameof(DecoderConfig.HeadSize), config => config.HeadSize),
    ];

    /// <summary>Returns the first property that differs, with both values; null if there is none.</summary>
    public static string? Between(DecoderConfig config, DecoderConfig expected)
    {
        foreach (var (name, value) in Properties)
        {
            if (!Equals(value(config), value(expected)))
                return $"its {name} is {Text(value(config))}, expected {Text(value(expected))}";
        }

        return null;
    }

    private static string Text(object? value) =>
        Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } text ? text : "none";
}
