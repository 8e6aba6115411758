using PostTrain.Text.Chat;

namespace PostTrain.Tests.Golden;

/// <summary>chat.json: conversations rendered with the templates of the tokenizers' directories, their tokens, and which of them the
/// assistant spoke.</summary>
internal static class ChatGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind> { ["chat"] = new(Chat), ["chat_error"] = new(Refusal) };

    private static void Chat(GoldenCase item)
    {
        var chat = Render(item);
        Assert.Equal(item.Json("expected", "text").GetString(), chat.Text);
        var encoded = chat.Encode(TokenizersGolden.Tokenizer(item));
        Assert.Equal(item.Json("expected", "ids").EnumerateArray().Select(id => id.GetInt32()), encoded.Ids);
        if (item.HasExpected("assistant_masks"))
            Assert.Equal(
                item.Json("expected", "assistant_masks").EnumerateArray().Select(counts => counts.GetInt32() != 0),
                encoded.AssistantMask
            );
    }

    private static void Refusal(GoldenCase item)
    {
        var exception = Assert.Throws<TemplateException>(() => Render(item));
        Assert.Contains(item.Json("expected", "error").GetString()!, exception.Reason, StringComparison.Ordinal);
    }

    private static RenderedChat Render(GoldenCase item)
    {
        string directory = Path.Combine(GoldenFile.Directory, item.Text("tokenizer")!);
        var template = ChatTemplate.Load(directory);
        return template.Render(
            [.. item.Json("inputs", "messages").EnumerateArray().Select(ChatMessage.FromJson)],
            new ChatOptions
            {
                AddGenerationPrompt = item.Flag("add_generation_prompt"),
                ContinueFinalMessage = item.Flag("continue_final_message"),
                Tools = item.HasParameter("tools") ? [.. item.Json("params", "tools").EnumerateArray()] : null,
                Variables = Variables(item, directory),
            }
        );
    }

    // Any other parameter is a variable of the template; one that no template of the directory mentions stays unread, and fails the case.
    private static Dictionary<string, object?> Variables(GoldenCase item, string directory)
    {
        string[] known = ["tokenizer", "add_generation_prompt", "continue_final_message", "tools"];
        string sources = string.Concat(
            System
                .IO.Directory.EnumerateFiles(directory, "*.jinja")
                .Append(Path.Combine(directory, "tokenizer_config.json"))
                .Select(File.ReadAllText)
        );
        return item
            .ParameterNames.Except(known)
            .Where(name => sources.Contains(name, StringComparison.Ordinal))
            .ToDictionary(name => name, name => (object?)item.Parameters.Find(name));
    }
}
