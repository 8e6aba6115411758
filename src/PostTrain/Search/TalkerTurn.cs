namespace PostTrain.Search;

/// <summary>One turn of a conversation with a <see cref="TalkerReasoner"/>.</summary>
/// <param name="Message">What was asked.</param>
/// <param name="Reply">What was answered.</param>
/// <param name="Signal">How sure the talker was of its first draft.</param>
/// <param name="Reasoned">Whether the reasoner was called.</param>
/// <param name="Thought">What the reasoner wrote; null where it was not called.</param>
/// <param name="Latency">Time until the reply.</param>
public sealed record TalkerTurn(string Message, string Reply, double Signal, bool Reasoned, string? Thought, TimeSpan Latency);
