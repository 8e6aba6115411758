using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Options for saving a checkpoint with <see cref="Pretrained"/>.</summary>
public sealed record SaveOptions
{
    /// <summary>The default of transformers, 50 GB.</summary>
    public const long DefaultMaxShardBytes = 50_000_000_000;

    /// <summary>Maximum number of bytes of weights in one file; a larger model is written as shards with an index. A larger tensor gets a
    /// file of its own.</summary>
    /// <value>The default is <see cref="DefaultMaxShardBytes"/>, as in transformers 5.</value>
    public long MaxShardBytes { get; init; } = DefaultMaxShardBytes;

    /// <summary>Type of the written weights, e.g. bfloat16 for a model trained in float32; null keeps the model's type.</summary>
    /// <value>The default is null.</value>
    public ScalarType? Type { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(MaxShardBytes, 1, nameof(MaxShardBytes));
        if (Type is { } type && !is_floating_point(type))
            throw new ArgumentOutOfRangeException(nameof(Type), type, "Type must be a floating-point type");
    }
}
