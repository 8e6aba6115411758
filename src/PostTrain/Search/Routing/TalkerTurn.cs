namespace PostTrain.Search;

/// <summary>One turn of a conversation with a <see cref="TalkerReasoner"/>.</summary>
/// <param name="Message">The user's message.</param>
/// <param name="Reply">The reply.</param>
/// <param name="Signal">Confidence of the talker in its first draft.</param>
/// <param name="Reasoned">True if the reasoner was called.</param>
/// <param name="Thought">The reasoner's text; null if it was not called.</param>
/// <param name="Latency">Time until the reply.</param>
public sealed record TalkerTurn(string Message, string Reply, double Signal, bool Reasoned, string? Thought, TimeSpan Latency);
