namespace PostTrain.Rollouts;

/// <summary>A row of a decoding that gets no further token.</summary>
/// <param name="Row">Number of the prompt.</param>
/// <param name="Place">The row's place in the cache.</param>
/// <param name="First">The cached position of the row's first token, a soft prompt's positions not counted.</param>
internal readonly record struct LeavingRow(int Row, int Place, int First);
