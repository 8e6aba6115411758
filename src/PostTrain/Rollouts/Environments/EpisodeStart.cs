using PostTrain.Data;

namespace PostTrain.Rollouts.Environments;

/// <summary>The beginning of an episode.</summary>
/// <param name="Row">Number of the completion in the draw.</param>
/// <param name="Prompt">The decoded prompt, special tokens spelled.</param>
/// <param name="Seed">Seed of the episode's randomness: a function of the draw's seed and the row.</param>
public sealed record EpisodeStart(int Row, string Prompt, ulong Seed)
{
    /// <summary>Problem of the prompt; null where the request names none.</summary>
    public Problem? Problem { get; init; }
}
