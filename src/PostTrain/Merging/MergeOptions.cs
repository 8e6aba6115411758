using PostTrain.Models;
using PostTrain.Numerics;

namespace PostTrain.Merging;

/// <summary>How <see cref="ModelMerger"/> writes.</summary>
public sealed record MergeOptions
{
    /// <summary>Whether a directory that is there already is replaced, as a whole; otherwise it is refused.</summary>
    /// <value>The default is false.</value>
    public bool Overwrite { get; init; }

    /// <summary>Most bytes of weights in one file, as in <see cref="SaveOptions"/>.</summary>
    /// <value>The default is <see cref="SaveOptions.DefaultMaxShardBytes"/>.</value>
    public long MaxShardBytes { get; init; } = SaveOptions.DefaultMaxShardBytes;

    internal void Validate() => Guard.AtLeast(MaxShardBytes, 1, nameof(MaxShardBytes));
}
