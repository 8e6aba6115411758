namespace PostTrain.Rollouts.Beams;

/// <summary>A completion that beam search has found.</summary>
/// <param name="Tokens">Its tokens, the stop token included.</param>
/// <param name="Score">Sum of its processed log-probs / length^α.</param>
/// <param name="Finished">Whether it ended by a stop token, not by the length limit.</param>
public sealed record BeamHypothesis(IReadOnlyList<int> Tokens, double Score, bool Finished);
