namespace PostTrain.Rollouts;

/// <summary>A sampled token of a completion.</summary>
/// <param name="Row">Index of the prompt.</param>
/// <param name="Token">The token's id.</param>
/// <param name="Text">The newly completed text: empty while a character is incomplete, otherwise one or more characters.</param>
/// <param name="IsLast">True if the row gets no further token.</param>
/// <param name="Finished">True if the row ended with a stop token or string, false if not or at the length limit.</param>
public sealed record RolloutPiece(int Row, int Token, string Text, bool IsLast, bool Finished);
