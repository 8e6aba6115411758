namespace PostTrain.Rollouts.Servers;

/// <summary>Facts about a server, as it reports them.</summary>
/// <param name="Model">Name to ask for; null where the protocol asks for none.</param>
/// <param name="Slots">The most completions of a request; null for no bound.</param>
internal sealed record ServerFacts(string? Model, int? Slots);
