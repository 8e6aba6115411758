using System.Text.Json;

namespace PostTrain.Text.Chat;

/// <summary>One conversation of a data set, a line of JSON: <c>{"messages": [{"role": ..., "content": ...}, ...]}</c>.</summary>
/// <param name="Messages">What is said, in order.</param>
/// <param name="Tools">The schemas of the functions that the assistant may call; null without any.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages, IReadOnlyList<JsonElement>? Tools = null);
