namespace PostTrain.Search;

/// <summary>The state that a sampler keeps of a solution: the keys and values of all its tokens except the last.</summary>
/// <param name="Block">Their block.</param>
/// <param name="Row">The row there.</param>
/// <param name="First">Position of the first token, a soft prompt's not counted.</param>
/// <param name="Tokens">All tokens, prompt included.</param>
internal sealed record BranchState(BranchBlock Block, int Row, int First, int[] Tokens);
