using System.Text.Json;

namespace PostTrain.Text.Chat;

/// <summary>A conversation of a data set, one line of JSON: <c>{"messages": [{"role": ..., "content": ...}, ...]}</c>.</summary>
/// <param name="Messages">The messages in order.</param>
/// <param name="Tools">JSON schemas of the functions that the assistant may call; null for none.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages, IReadOnlyList<JsonElement>? Tools = null);
