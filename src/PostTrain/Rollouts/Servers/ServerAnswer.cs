namespace PostTrain.Rollouts.Servers;

/// <summary>A completion as a server gave it.</summary>
/// <param name="Tokens">Token ids.</param>
/// <param name="LogProbs">Log-prob of each.</param>
/// <param name="Reason">Finish reason of the server: stop, length or another.</param>
/// <param name="Version">The server's name of its weights; null if it gives none.</param>
internal sealed record ServerAnswer(int[] Tokens, double[] LogProbs, string Reason, string? Version);
