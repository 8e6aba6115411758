using System.Text.Json;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Text.Chat;

/// <summary>Inputs of a chat template other than the messages.</summary>
public sealed record ChatOptions
{
    /// <summary>True if the text ends where the assistant's turn begins (<c>add_generation_prompt</c>). Default false.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>True if the text ends within the last message, for the model to continue it (<c>continue_final_message</c>). Default false.
    /// Not allowed together with <see cref="AddGenerationPrompt"/>.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>JSON schemas of the functions that the assistant may call; null for none.</summary>
    public IReadOnlyList<JsonElement>? Tools { get; init; }

    /// <summary>Further variables of the template, such as <c>enable_thinking</c>. They take precedence over the special tokens.</summary>
    public IReadOnlyDictionary<string, object?> Variables { get; init; } = new Dictionary<string, object?>();

    /// <summary>The time that <c>strftime_now</c> writes. Default null: the function is undefined, templates that use it fall back to a
    /// fixed date, and the text depends on the arguments only.</summary>
    public DateTime? Now { get; init; }

    /// <summary>Name of the tokenizer's template to use. Null means <c>tool_use</c> if there are tools and such a template, otherwise
    /// <c>default</c>.</summary>
    public string? Template { get; init; }

    /// <summary>Limits of the template's execution.</summary>
    public JinjaLimits Limits { get; init; } = new();
}
