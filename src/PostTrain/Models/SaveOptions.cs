using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>How <see cref="Pretrained"/> writes a checkpoint.</summary>
public sealed record SaveOptions
{
    /// <summary>transformers' default, 50 GB.</summary>
    public const long DefaultMaxShardBytes = 50_000_000_000;

    /// <summary>The most bytes of weights in one file; a model that has more is written as shards with an index. A single tensor that is
    /// larger gets a file of its own.</summary>
    /// <value>The default is <see cref="DefaultMaxShardBytes"/>, as in transformers 5.</value>
    public long MaxShardBytes { get; init; } = DefaultMaxShardBytes;

    /// <summary>Type of the written weights, e.g. bfloat16 of a model that was trained in float32; null writes them as they are.</summary>
    /// <value>The default is null.</value>
    public ScalarType? Type { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(MaxShardBytes, 1, nameof(MaxShardBytes));
        if (Type is { } type && !is_floating_point(type))
            throw new ArgumentOutOfRangeException(nameof(Type), type, "Type must be a floating-point type");
    }
}
