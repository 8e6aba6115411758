namespace PostTrain.Rollouts.Beams;

/// <summary>A completion found by beam search.</summary>
/// <param name="Tokens">Its tokens, the stop token included.</param>
/// <param name="Score">Sum of its processed log-probs / length^α.</param>
/// <param name="Finished">True if a stop token ended it, false if it reached the length limit.</param>
public sealed record BeamHypothesis(IReadOnlyList<int> Tokens, double Score, bool Finished);
