namespace PostTrain.Rollouts.Environments;

/// <summary>A turn of the policy: what it wrote since the prompt or the last observation.</summary>
/// <param name="Number">1 for the first turn of a completion.</param>
/// <param name="Text">The decoded turn without special tokens.</param>
/// <param name="Spelled">The decoded turn with special tokens spelled, such as the stop token.</param>
/// <param name="Tokens">Token ids, the stop token included.</param>
/// <param name="Finish">Why the turn ended: by a stop, or by the length limit of a turn.</param>
public sealed record PolicyTurn(int Number, string Text, string Spelled, IReadOnlyList<int> Tokens, RolloutFinish Finish);
