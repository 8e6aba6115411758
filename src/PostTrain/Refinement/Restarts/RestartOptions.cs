using PostTrain.Numerics;

namespace PostTrain.Refinement.Restarts;

/// <summary>Options of <see cref="RestartAndExplore"/>.</summary>
public sealed record RestartOptions
{
    /// <summary>The marker after the prefix, which asks the policy to reflect. The model must be able to read it: a special token, or
    /// words.</summary>
    /// <value>The default is Satori's <c>&lt;|reflect|&gt;</c>.</value>
    public string Marker { get; init; } = "<|reflect|>";

    /// <summary>Separator between steps, not empty.</summary>
    /// <value>The default is a line end.</value>
    public string Separator { get; init; } = "\n";

    /// <summary>Number of different cuts per rollout, fewer if it has fewer steps; at least 1.</summary>
    /// <value>The default is 1.</value>
    public int PerRollout { get; init; } = 1;

    /// <summary>Maximum number of steps to cut off, at least 0; null allows a cut after any step. 0 keeps the whole text.</summary>
    /// <value>The default is null.</value>
    public int? MostBacktracked { get; init; }

    /// <summary>Seed of the cuts.</summary>
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
