namespace PostTrain.Search;

/// <summary>What a sampler keeps of a solution: the keys and values of all its tokens but the last.</summary>
/// <param name="Block">Where they are.</param>
/// <param name="Row">The row there.</param>
/// <param name="First">Position of the first token, a soft prompt's not counted.</param>
/// <param name="Tokens">Whose they are: all tokens, prompt included.</param>
internal sealed record BranchState(BranchBlock Block, int Row, int First, int[] Tokens);
