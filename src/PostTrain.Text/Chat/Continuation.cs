using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Text.Chat;

/// <summary>Ends a text within its last message, like transformers' <c>continue_final_message</c>: the message is rendered with a mark at
/// its end, and the text is cut at the mark.</summary>
internal static class Continuation
{
    // The space shows whether the template trims the message. The mark is transformers' own: a template may depend on its first letters.
    private const string Tag = "CONTINUE_FINAL_MESSAGE_TAG ";

    internal static (IReadOnlyList<ChatMessage> Messages, string Text) Mark(IReadOnlyList<ChatMessage> messages, string template)
    {
        var last = messages[^1];
        if (!template.Contains("content", StringComparison.Ordinal))
            throw new ArgumentException(
                "the template does not read the content of messages, so the last one cannot be continued",
                nameof(messages)
            );
        if (last.Content is { } text)
            return ([.. messages.SkipLast(1), last.With("content", text + Tag)], text);
        if (last["content"] is not { ValueKind: JsonValueKind.Array } content)
            throw new ArgumentException("the last message has no content to continue", nameof(messages));
        var parts = JsonNode.Parse(content.GetRawText())!.AsArray();
        var part =
            parts.LastOrDefault(item => item is JsonObject fields && fields["text"] is JsonValue value && value.TryGetValue<string>(out _))
            ?? throw new ArgumentException("no part of the last message's content is a text that can be continued", nameof(messages));
        text = part["text"]!.GetValue<string>();
        part["text"] = text + Tag;
        return ([.. messages.SkipLast(1), last.With("content", parts)], text);
    }

    internal static RenderedChat Cut(RenderedChat chat, string message)
    {
        string text = chat.Text;
        var place = text.LastIndexOf(Tag.Trim(), StringComparison.Ordinal);
        if (place < 0 || !text.Contains(message.Trim(), StringComparison.Ordinal))
            throw new ArgumentException("the template changes or omits the last message, so it cannot be continued", nameof(message));
        var kept = string.CompareOrdinal(text, place, Tag, 0, Tag.Length) == 0 ? text[..place] : text[..place].TrimEnd();
        return new RenderedChat(
            kept,
            chat.AssistantSpans?.Where(span => span.Start < kept.Length)
                .Select(span => span with { End = Math.Min(span.End, kept.Length) })
                .ToArray()
        );
    }
}
