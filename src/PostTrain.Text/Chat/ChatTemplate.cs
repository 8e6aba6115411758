using PostTrain.Text;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Text.Chat;

/// <summary>Renders a conversation with the Jinja template of a model's tokenizer, as transformers' <c>apply_chat_template</c> does.
/// Immutable and thread-safe.</summary>
/// <remarks>A template reads <c>messages</c>, <c>tools</c>, <c>documents</c>, <c>add_generation_prompt</c>, the special tokens
/// (<c>bos_token</c>, ...) and <see cref="ChatOptions.Variables"/>.</remarks>
public sealed class ChatTemplate
{
    private readonly IReadOnlyDictionary<string, JinjaTemplate> templates;
    private readonly IReadOnlyDictionary<string, string> specialTokens;

    /// <summary>Creates a template from its source.</summary>
    /// <param name="template">The Jinja source.</param>
    /// <param name="specialTokens">The special tokens by the names that the template reads: <c>bos_token</c>, <c>eos_token</c>, ...</param>
    /// <exception cref="TemplateException">The template is invalid.</exception>
    public ChatTemplate(string template, IReadOnlyDictionary<string, string>? specialTokens = null)
        : this(
            new Dictionary<string, JinjaTemplate> { ["default"] = JinjaTemplate.Parse(template) },
            specialTokens ?? new Dictionary<string, string>()
        ) { }

    internal ChatTemplate(IReadOnlyDictionary<string, JinjaTemplate> templates, IReadOnlyDictionary<string, string> specialTokens)
    {
        this.templates = templates;
        this.specialTokens = specialTokens;
    }

    /// <summary>The names of the templates; <c>default</c> if there is only one.</summary>
    public IEnumerable<string> Names => templates.Keys;

    /// <summary>The Jinja source of a template, or null if no template has this name.</summary>
    internal string? SourceOf(string name) => templates.GetValueOrDefault(name)?.Source;

    /// <summary>The special tokens by the names that a template reads.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens => specialTokens;

    /// <summary>Reads the template of a tokenizer's directory: <c>chat_template.jinja</c> and <c>additional_chat_templates/NAME.jinja</c>,
    /// otherwise <c>chat_template</c> in <c>tokenizer_config.json</c> (a text, or a list of named ones), and the special tokens.</summary>
    /// <exception cref="FileNotFoundException">The directory has no template.</exception>
    /// <exception cref="InvalidDataException">A file is not JSON, or contains an invalid template; the message names the file and the
    /// place.</exception>
    public static ChatTemplate Load(string directory) => ChatTemplateFiles.Load(directory);

    /// <summary>Renders a conversation. The result contains the assistant's spans if the template marks them.</summary>
    /// <param name="messages">The conversation, at least one message.</param>
    /// <param name="options">Further inputs of the template; null for the defaults.</param>
    /// <exception cref="TemplateException">The template rejects the conversation, fails, or reaches a limit.</exception>
    /// <exception cref="ArgumentException">There are no messages; the options contradict each other; there is no such template; or the last
    /// message, which is to be continued, has no text, or the template changes or omits it.</exception>
    public RenderedChat Render(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new ChatOptions();
        if (messages.Count == 0)
            throw new ArgumentException("there are no messages", nameof(messages));
        if (options is { AddGenerationPrompt: true, ContinueFinalMessage: true })
            throw new ArgumentException(
                $"{nameof(ChatOptions.AddGenerationPrompt)} begins a message and "
                    + $"{nameof(ChatOptions.ContinueFinalMessage)} continues the last one, expected at most one of them",
                nameof(options)
            );
        var template = Select(options);
        if (!options.ContinueFinalMessage)
            return Rendered(template, messages, options);
        var (marked, text) = Continuation.Mark(messages, template.Source);
        return Continuation.Cut(Rendered(template, marked, options), text);
    }

    /// <summary>Renders a conversation and finds the assistant's spans by rendering its prefixes, for templates that do not mark
    /// them.</summary>
    /// <remarks>An assistant's span begins where the text departs from the rendering of the messages before it with a generation prompt (at
    /// its end, or before thinking that only a generation prompt opens). It ends with the rendering of the messages up to it, so the end of
    /// the turn (and a line end after it) is included. This requires that the rendering of every prefix is a prefix of the text; it fails
    /// for templates that drop the reasoning of earlier turns.</remarks>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">Further inputs of the template, without a generation prompt or continuation.</param>
    /// <exception cref="ArgumentException">As for <see cref="Render"/>; or the rendering of the messages up to one is not a prefix of the
    /// whole text; the message says which.</exception>
    /// <exception cref="TemplateException">As for <see cref="Render"/>; also if the template rejects a prefix of the
    /// conversation.</exception>
    public RenderedChat RenderByPrefixes(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null) =>
        SpansByPrefixes(messages, options, first: 0);

    /// <summary>Renders a conversation with the spans of the assistant's messages from one on.</summary>
    internal RenderedChat SpansByPrefixes(IReadOnlyList<ChatMessage> messages, ChatOptions? options, int first)
    {
        options ??= new ChatOptions();
        if (options.AddGenerationPrompt || options.ContinueFinalMessage)
            throw new ArgumentException(
                "a conversation to learn from has neither a generation prompt nor a continued message",
                nameof(options)
            );
        string text = Render(messages, options).Text;
        List<TextSpan> spans = [];
        for (var place = first; place < messages.Count; place++)
        {
            if (messages[place].Role != "assistant")
                continue;
            if (place == 0)
                throw new ArgumentException("message 0 is the assistant's, expected a message before it", nameof(messages));
            var start = PromptLength(text, [.. messages.Take(place)], options) ?? throw Changes(place, messages);
            var end = Beginning(text, [.. messages.Take(place + 1)], options, place);
            if (end < start)
                throw new ArgumentException($"the text up to message {place} is shorter than the prompt before it", nameof(messages));
            spans.Add(new TextSpan(start, end));
        }

        return new RenderedChat(text, spans);
    }

    /// <summary>Checks a template with <c>{% generation %}</c> blocks for training.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="options">Further inputs of the template; null for the defaults.</param>
    /// <exception cref="TemplateException">The template rejects a conversation of a user and an assistant.</exception>
    public TemplateCheck Check(IOffsetTokenizer tokenizer, ChatOptions? options = null) =>
        TemplateCheck.Of(this, tokenizer, options ?? new ChatOptions());

    /// <summary>Encodes a conversation. The result contains a mask of the assistant's tokens if the template marks them.</summary>
    /// <remarks>Equivalent to <c>Render(messages, options).Encode(tokenizer)</c>.</remarks>
    public EncodedChat Encode(IOffsetTokenizer tokenizer, IReadOnlyList<ChatMessage> messages, ChatOptions? options = null) =>
        Render(messages, options).Encode(tokenizer);

    /// <summary>Returns true if the texts up to each message of the assistant, from one on, are beginnings of the whole text.</summary>
    internal bool KeepsTurns(IReadOnlyList<ChatMessage> messages, ChatOptions options, int first)
    {
        string text = Render(messages, options).Text;
        return Enumerable
            .Range(first, Math.Max(messages.Count - first, 0))
            .Where(place => messages[place].Role == "assistant")
            .All(place =>
                PromptLength(text, [.. messages.Take(place)], options) is not null
                && text.StartsWith(Render([.. messages.Take(place + 1)], options).Text, StringComparison.Ordinal)
            );
    }

    private int Beginning(string text, IReadOnlyList<ChatMessage> messages, ChatOptions options, int place)
    {
        string beginning = Render(messages, options).Text;
        return text.StartsWith(beginning, StringComparison.Ordinal) ? beginning.Length : throw Changes(place, messages);
    }

    private static ArgumentException Changes(int place, IReadOnlyList<ChatMessage> messages) =>
        new(
            $"the template changes earlier messages when others follow (before message {place}), so the assistant's span cannot be found; "
                + "mark it with {% generation %} in the template",
            nameof(messages)
        );

    /// <summary>Returns the length of the prompt in a rendered conversation: its common prefix with the messages before the answer,
    /// rendered with a generation prompt.</summary>
    /// <param name="whole">The rendered conversation.</param>
    /// <param name="asked">The messages before the answer.</param>
    /// <param name="options">As for <paramref name="whole"/>.</param>
    /// <returns>Null if the two differ before the end of the last of these messages.</returns>
    internal int? PromptLength(string whole, IReadOnlyList<ChatMessage> asked, ChatOptions options)
    {
        string prompt = Render(asked, options with { AddGenerationPrompt = true }).Text;
        if (whole.StartsWith(prompt, StringComparison.Ordinal))
            return prompt.Length;
        var common = Common(whole, prompt);
        // A text that does not occur, because the template changed it, gives no position.
        var written = 0;
        foreach (var text in asked.Select(message => message.Content?.Trim()).OfType<string>())
            written = whole.IndexOf(text, written, StringComparison.Ordinal) is var at and >= 0 ? at + text.Length : written;
        return common >= written ? common : null;
    }

    // Does not split a surrogate pair.
    private static int Common(string left, string right)
    {
        var length = left.AsSpan().CommonPrefixLength(right);
        return length > 0 && char.IsHighSurrogate(left[length - 1]) ? length - 1 : length;
    }

    private JinjaTemplate Select(ChatOptions options)
    {
        if (options.Template is { } name)
            return templates.TryGetValue(name, out var named)
                ? named
                : throw new ArgumentException(
                    $"there is no template '{name}', expected {string.Join(", ", templates.Keys)}",
                    nameof(options)
                );
        if (options.Tools is not null && templates.TryGetValue("tool_use", out var forTools))
            return forTools;
        return templates.TryGetValue("default", out var standard)
            ? standard
            : throw new ArgumentException(
                $"there is no default template, expected {nameof(ChatOptions.Template)} to be one of {string.Join(", ", templates.Keys)}",
                nameof(options)
            );
    }

    private RenderedChat Rendered(JinjaTemplate template, IReadOnlyList<ChatMessage> messages, ChatOptions options)
    {
        var variables = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, text) in specialTokens)
            variables[name] = text;
        variables["documents"] = null;
        foreach (var (name, value) in options.Variables)
            variables[name] = value;
        variables["messages"] = messages.Select(message => message.Fields.ToDictionary(field => field.Key, field => field.Value)).ToArray();
        variables["tools"] = options.Tools;
        variables["add_generation_prompt"] = options.AddGenerationPrompt;
        var run = template.Execute(variables, options.Now, options.Limits);
        return new RenderedChat(run.Document.ToString(), template.HasGeneration ? run.Generations : null);
    }
}
