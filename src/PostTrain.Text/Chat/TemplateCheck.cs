namespace PostTrain.Text.Chat;

/// <summary>Fitness of a chat template for training on conversations.</summary>
/// <param name="LearnsEnd">True if a <c>{% generation %}</c> block holds the token that ends the assistant's turn. Without it a model that
/// learns by the blocks never learns to stop.</param>
/// <param name="KeepsPrefix">True if the ids of a conversation stay as they are when messages follow, such as a tool's result. Otherwise
/// earlier turns look different in training and in sampling.</param>
public sealed record TemplateCheck(bool LearnsEnd, bool KeepsPrefix)
{
    private static readonly ChatMessage User = new("user", "dummy");

    /// <summary>Renders small conversations and looks at their ids.</summary>
    internal static TemplateCheck Of(ChatTemplate template, IOffsetTokenizer tokenizer, ChatOptions options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new TemplateCheck(EndIsLearnt(template, tokenizer, options), PrefixIsKept(template, tokenizer, options));
    }

    private static bool EndIsLearnt(ChatTemplate template, IOffsetTokenizer tokenizer, ChatOptions options)
    {
        var (ids, mask) = template.Encode(tokenizer, [User, new ChatMessage("assistant", "dummy"), User], options);
        if (mask is null)
            return false;
        for (int i = ids.Length - 1; i >= 0; i--)
            if (mask[i] && !string.IsNullOrWhiteSpace(tokenizer.Decode([ids[i]], skipSpecialTokens: false)))
                return tokenizer.EndOfSequenceIds.Contains(ids[i]) || CompletionTokens.IsMark(ids[i], tokenizer);
        return false;
    }

    // A call of a tool, as the answer to it is what may change earlier messages.
    private static bool PrefixIsKept(ChatTemplate template, IOffsetTokenizer tokenizer, ChatOptions options)
    {
        object[] calls = [new { type = "function", function = new { name = "dummy", arguments = new Dictionary<string, string>() } }];
        ChatMessage[] called = [User, new ChatMessage("assistant", "").With("tool_calls", calls)];
        ChatMessage[] answered = [.. called, new ChatMessage("tool", "dummy").With("name", "dummy")];
        int[] before = template.Encode(tokenizer, called, options).Ids;
        int[] after = template.Encode(tokenizer, answered, options with { AddGenerationPrompt = true }).Ids;
        return after.AsSpan().StartsWith(before);
    }
}
