using PostTrain.Numerics;

namespace PostTrain.Refinement.Restarts;

/// <summary>Options of <see cref="RestartAndExplore"/>.</summary>
public sealed record RestartOptions
{
    /// <summary>What stands behind the prefix and tells the policy to look back. The model must be able to read it: a token of its own, or
    /// words.</summary>
    /// <value>The default is Satori's <c>&lt;|reflect|&gt;</c>.</value>
    public string Marker { get; init; } = "<|reflect|>";

    /// <summary>What stands between steps, not empty.</summary>
    /// <value>The default is a line end.</value>
    public string Separator { get; init; } = "\n";

    /// <summary>Different places that each rollout is cut at, fewer where it has fewer steps; at least 1.</summary>
    /// <value>The default is 1.</value>
    public int PerRollout { get; init; } = 1;

    /// <summary>The most steps that are cut off, at least 0; null allows a cut after any step. 0 keeps the whole text.</summary>
    /// <value>The default is null.</value>
    public int? MostBacktracked { get; init; }

    /// <summary>Where the places come from.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Marker);
        ArgumentException.ThrowIfNullOrEmpty(Separator);
        Guard.AtLeast(PerRollout, 1, nameof(PerRollout));
        if (MostBacktracked is { } most)
            Guard.AtLeast(most, 0, nameof(MostBacktracked));
    }
}
