namespace PostTrain.Adapters.Prompts;

/// <summary>A prompt of tokens that a search has found.</summary>
/// <param name="Tokens">The ids.</param>
/// <param name="Loss">The objective's loss of exactly this prompt, evaluated by itself.</param>
/// <param name="Evaluations">Prompts that were evaluated.</param>
public sealed record DiscretePrompt(IReadOnlyList<int> Tokens, double Loss, int Evaluations);
