namespace PostTrain.Rollouts.Beams;

/// <summary>How beam search searches; what a token may be, and how many there are, is in <see cref="SamplingOptions"/>.</summary>
public sealed record BeamOptions
{
    /// <summary>Hypotheses that are followed at once. Default 4.</summary>
    public int Beams { get; init; } = 4;

    /// <summary>Hypotheses that are given back for each prompt, best first; at most <see cref="Beams"/>. Default 1.</summary>
    public int Returned { get; init; } = 1;

    /// <summary>α of the score: sum of log-probs / length^α, the length being that of the completion, the stop token included. Above 0
    /// favours long completions, below 0 short ones. From −32 to 32, so that every length^α is a number. Default 1.</summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>When a prompt's search ends. Default <see cref="BeamStopping.WhenNoBetterIsLikely"/>.</summary>
    public BeamStopping Stopping { get; init; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Beams);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Returned);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Returned, Beams);
        if (!(LengthPenalty is >= -32 and <= 32))
            throw new ArgumentOutOfRangeException(nameof(LengthPenalty), LengthPenalty, "LengthPenalty must be from -32 to 32.");
        if (!Enum.IsDefined(Stopping))
            throw new ArgumentOutOfRangeException(nameof(Stopping), Stopping, "Stopping must be one of the named values.");
    }
}
