namespace PostTrain.Rollouts;

/// <summary>A token of a completion as it is drawn.</summary>
/// <param name="Row">Number of the prompt.</param>
/// <param name="Token">The token's id.</param>
/// <param name="Text">What has become readable with it: empty where a character is not whole yet, several characters where one became
/// whole.</param>
/// <param name="IsLast">Whether the row gets no further token.</param>
/// <param name="Finished">Whether the row has ended by a stop token or string, not by the length limit.</param>
public sealed record RolloutPiece(int Row, int Token, string Text, bool IsLast, bool Finished);
