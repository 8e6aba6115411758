namespace PostTrain.Rollouts.Servers;

/// <summary>What is known of a server.</summary>
/// <param name="Model">Name to ask for; null where the protocol asks for none.</param>
/// <param name="Slots">The most completions of a request; null for no bound.</param>
internal sealed record ServerFacts(string? Model, int? Slots);
