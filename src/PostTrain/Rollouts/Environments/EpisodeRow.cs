namespace PostTrain.Rollouts.Environments;

/// <summary>A completion that grows in turns.</summary>
/// <param name="row">Number in the request.</param>
/// <param name="prompt">Token ids of the prompt.</param>
/// <param name="limit">The most tokens after the prompt.</param>
/// <param name="episode">The environment's side.</param>
internal sealed class EpisodeRow(int row, int[] prompt, int limit, IEpisode episode)
{
    private readonly List<int> tokens = [];
    private readonly List<double> logProbs = [];
    private readonly List<bool> drawn = [];
    private readonly List<double> masses = [];
    private bool hasMasses = true;
    private long? version;

    internal int Row => row;

    internal IEpisode Episode => episode;

    /// <summary>Tokens that the completion may still get.</summary>
    internal int Left => limit - tokens.Count;

    /// <summary>Prompt and completion so far.</summary>
    internal int[] Context => [.. prompt, .. tokens];

    /// <summary>Reason for which the completion ended; null while it continues.</summary>
    internal RolloutFinish? Finish { get; set; }

    /// <summary>Appends a turn of the policy, cut to a number of tokens.</summary>
    /// <returns>The tokens, and why the turn ended.</returns>
    internal (int[] Tokens, RolloutFinish Finish) Append(RolloutSample turn, int most)
    {
        int count = Math.Min(turn.Tokens.Length, most);
        tokens.AddRange(turn.Tokens.AsSpan(0, count));
        logProbs.AddRange(turn.LogProbs.AsSpan(0, count));
        drawn.AddRange(Enumerable.Repeat(true, count));
        masses.AddRange(turn.KeptMass?.Take(count) ?? Enumerable.Repeat(1.0, count));
        hasMasses &= turn.KeptMass is not null;
        // The oldest weights count.
        version =
            tokens.Count == count ? turn.Version
            : version < turn.Version ? version
            : turn.Version;
        return (turn.Tokens[..count], count < turn.Tokens.Length ? RolloutFinish.Length : turn.Finish);
    }

    /// <summary>Appends an observation.</summary>
    internal void Append(int[] observation)
    {
        tokens.AddRange(observation);
        logProbs.AddRange(Enumerable.Repeat(0.0, observation.Length));
        drawn.AddRange(Enumerable.Repeat(false, observation.Length));
        masses.AddRange(Enumerable.Repeat(1.0, observation.Length));
    }

    /// <summary>The completion, once it has ended.</summary>
    internal RolloutSample Sample() =>
        new(row, [.. tokens], [.. logProbs], Finish!.Value)
        {
            Drawn = drawn.Contains(false) ? [.. drawn] : null,
            KeptMass = hasMasses ? [.. masses] : null,
            Version = version,
        };
}
