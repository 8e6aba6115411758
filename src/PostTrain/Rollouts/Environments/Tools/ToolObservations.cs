using System.Text.Encodings.Web;
using System.Text.Json;
using PostTrain.Text.Chat;

namespace PostTrain.Rollouts.Environments;

/// <summary>Writes results of tools as the usual templates do, from behind the stop token of the policy's turn up to its next
/// turn.</summary>
internal static class ToolObservations
{
    private const string Mark = "TURN_OF_THE_ASSISTANT";
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal static string Hermes(IReadOnlyList<ToolResult> results) =>
        "\n<|im_start|>user\n"
        + string.Join('\n', results.Select(result => $"<tool_response>\n{result.Content}\n</tool_response>"))
        + "<|im_end|>\n<|im_start|>assistant\n";

    internal static string Llama(IReadOnlyList<ToolResult> results) =>
        string.Concat(results.Select(result => $"<|start_header_id|>ipython<|end_header_id|>\n\n{result.Content}<|eot_id|>"))
        + "<|start_header_id|>assistant<|end_header_id|>\n\n";

    internal static string Mistral(IReadOnlyList<ToolResult> results) =>
        string.Concat(
            results.Select(result =>
            {
                var fields = new Dictionary<string, string> { ["content"] = result.Content };
                if (result.Call?.Id is { } id)
                    fields["call_id"] = id;
                return $"[TOOL_RESULTS] {JsonSerializer.Serialize(fields, Plain)}[/TOOL_RESULTS]";
            })
        );

    // What the template writes behind the assistant's content, without the end of the turn, which the policy has written.
    internal static string ByTemplate(ChatTemplate template, string endOfTurn, IReadOnlyList<ToolResult> results)
    {
        ChatMessage[] messages =
        [
            new("user", "?"),
            new("assistant", Mark),
            .. results.Select(result =>
            {
                var message = new ChatMessage("tool", result.Content).With("name", result.Call?.Name ?? "");
                return result.Call?.Id is { } id ? message.With("tool_call_id", id) : message;
            }),
        ];
        string text = template.Render(messages, new ChatOptions { AddGenerationPrompt = true }).Text;
        int mark = text.LastIndexOf(Mark, StringComparison.Ordinal);
        if (mark < 0)
            throw new ArgumentException("the template does not write the assistant's content", nameof(template));
        string behind = text[(mark + Mark.Length)..];
        int end = behind.IndexOf(endOfTurn, StringComparison.Ordinal);
        return end >= 0 && string.IsNullOrWhiteSpace(behind[..end]) ? behind[(end + endOfTurn.Length)..] : behind;
    }
}
