namespace PostTrain.Rollouts.Servers;

/// <summary>Completions of one prompt that a request asks for.</summary>
/// <param name="FirstRow">Row of the first completion; the others follow.</param>
/// <param name="Count">Number of completions, n.</param>
/// <param name="Prompt">Token ids.</param>
/// <param name="Limit">The most new tokens.</param>
/// <param name="Seed">Seed of the request, 31 bits.</param>
internal sealed record ServerQuestion(int FirstRow, int Count, int[] Prompt, int Limit, int Seed);
