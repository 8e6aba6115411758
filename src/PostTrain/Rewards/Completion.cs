using PostTrain.Data;

namespace PostTrain.Rewards;

/// <summary>What a policy answered.</summary>
/// <param name="Problem">What it was asked.</param>
/// <param name="Text">The decoded completion, without the prompt and without the token that ended it.</param>
/// <param name="Tokens">The ids of the completion.</param>
/// <param name="Finished">True when a stop token ended it, false when the limit on its length did.</param>
public sealed record Completion(Problem Problem, string Text, int[] Tokens, bool Finished);
