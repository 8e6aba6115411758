using System.Text.Json.Nodes;

namespace PostTrain.Data;

/// <summary>Brings conversations that call their fields otherwise into the usual form: messages with role and content.</summary>
public static class ChatMl
{
    private static readonly string[] Conversations = ["prompt", "completion", "chosen", "rejected", "messages", "conversations"];

    /// <summary>In each conversation of an example "from" becomes "role" and "value" becomes "content"; "conversations" becomes
    /// "messages".</summary>
    /// <param name="example">A row of a data set; it stays as it is. What is no list of messages is copied.</param>
    /// <returns>A new object.</returns>
    public static JsonObject Convert(JsonObject example)
    {
        ArgumentNullException.ThrowIfNull(example);
        var converted = new JsonObject();
        foreach (var (name, value) in example)
        {
            var copy = value?.DeepClone();
            if (Conversations.Contains(name) && copy is JsonArray messages)
                foreach (var message in messages.OfType<JsonObject>())
                    Rename(message);
            if (name != "conversations")
                converted[name] = copy;
        }

        if (example.TryGetPropertyValue("conversations", out _) && example["conversations"] is { } renamed)
            converted["messages"] = Convert(new JsonObject { ["messages"] = renamed.DeepClone() })["messages"]!.DeepClone();
        return converted;
    }

    private static void Rename(JsonObject message)
    {
        foreach (var (from, to) in new[] { ("from", "role"), ("value", "content") })
        {
            if (!message.TryGetPropertyValue(from, out var value))
                continue;
            message.Remove(from);
            message[to] = value;
        }
    }
}
