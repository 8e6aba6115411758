using System.Text.Json;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Text.Chat;

/// <summary>What a chat template is given beside the messages.</summary>
public sealed record ChatOptions
{
    /// <summary>Whether the text ends where the assistant is to speak (<c>add_generation_prompt</c>). Default: no.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Whether the text ends within the last message, for the model to go on with it (<c>continue_final_message</c>). Default: no;
    /// not together with <see cref="AddGenerationPrompt"/>.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>The JSON schemas of the functions that the assistant may call; null without any.</summary>
    public IReadOnlyList<JsonElement>? Tools { get; init; }

    /// <summary>Further names that the template may read, such as <c>enable_thinking</c>; they come before the special tokens.</summary>
    public IReadOnlyDictionary<string, object?> Variables { get; init; } = new Dictionary<string, object?>();

    /// <summary>The time that <c>strftime_now</c> writes. Default null: the function is undefined and templates that ask for it take their
    /// fixed date, so that the text depends on nothing but the arguments.</summary>
    public DateTime? Now { get; init; }

    /// <summary>Which of a tokenizer's named templates; null for <c>tool_use</c> where there are tools and such a template, else
    /// <c>default</c>.</summary>
    public string? Template { get; init; }

    /// <summary>When a template is stopped.</summary>
    public JinjaLimits Limits { get; init; } = new();
}
