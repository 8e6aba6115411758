namespace PostTrain.Adapters.Prompts;

/// <summary>A prompt of tokens found by a search.</summary>
/// <param name="Tokens">The ids.</param>
/// <param name="Loss">The objective's loss of this prompt, evaluated separately.</param>
/// <param name="Evaluations">Number of evaluated prompts.</param>
public sealed record DiscretePrompt(IReadOnlyList<int> Tokens, double Loss, int Evaluations);
