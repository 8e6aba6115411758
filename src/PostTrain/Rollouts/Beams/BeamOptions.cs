namespace PostTrain.Rollouts.Beams;

/// <summary>Options of beam search; <see cref="SamplingOptions"/> restricts tokens and length.</summary>
public sealed record BeamOptions
{
    /// <summary>Number of hypotheses followed at once. Default 4.</summary>
    public int Beams { get; init; } = 4;

    /// <summary>Number of hypotheses returned for each prompt, best first; at most <see cref="Beams"/>. Default 1.</summary>
    public int Returned { get; init; } = 1;

    /// <summary>α of the score, the sum of log-probs / length^α, with the length of the completion including the stop token. Above 0
    /// favours long completions, below 0 short ones. From −32 to 32, so that every length^α is finite. Default 1.</summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>The stopping rule of a prompt's search. Default <see cref="BeamStopping.WhenNoBetterIsLikely"/>.</summary>
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
