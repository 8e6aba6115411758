namespace PostTrain.Adapters.Prompts;

/// <summary>The state of a search after a round.</summary>
/// <param name="Start">Number of the start, from 0.</param>
/// <param name="Round">Number of the round in it, from 0.</param>
/// <param name="Best">The best prompt so far, over all starts.</param>
/// <param name="Loss">Its evaluated loss.</param>
/// <param name="Evaluations">Number of evaluated prompts so far.</param>
public sealed record DiscreteSearchProgress(int Start, int Round, IReadOnlyList<int> Best, double Loss, int Evaluations);
