using PostTrain.Text;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Text.Chat;

/// <summary>Turns a conversation into the text that a model was trained on, with the Jinja template of its tokenizer, as transformers'
/// <c>apply_chat_template</c> does. Immutable and safe to share between threads.</summary>
/// <remarks>A template reads <c>messages</c>, <c>tools</c>, <c>documents</c>, <c>add_generation_prompt</c>, the special tokens
/// (<c>bos_token</c>, ...) and <see cref="ChatOptions.Variables"/>.</remarks>
public sealed class ChatTemplate
{
    private readonly IReadOnlyDictionary<string, JinjaTemplate> templates;
    private readonly IReadOnlyDictionary<string, string> specialTokens;

    /// <summary>A template of one's own.</summary>
    /// <param name="template">The Jinja source.</param>
    /// <param name="specialTokens">The texts of special tokens by the names under which the template reads them: <c>bos_token</c>,
    /// <c>eos_token</c>, ...</param>
    /// <exception cref="TemplateException">The template is wrong.</exception>
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

    /// <summary>The names of the templates, <c>default</c> where there is only one.</summary>
    public IEnumerable<string> Names => templates.Keys;

    /// <summary>The Jinja source of a template, or null where none has this name.</summary>
    internal string? SourceOf(string name) => templates.GetValueOrDefault(name)?.Source;

    /// <summary>The texts of the special tokens by the names under which a template reads them.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens => specialTokens;

    /// <summary>Reads the template of a tokenizer's directory: <c>chat_template.jinja</c> and <c>additional_chat_templates/NAME.jinja</c>,
    /// else <c>chat_template</c> in <c>tokenizer_config.json</c> (a text, or a list of named ones), and the special tokens.</summary>
    /// <exception cref="FileNotFoundException">The directory has no template.</exception>
    /// <exception cref="InvalidDataException">A file is no JSON, or has a wrong template; the message names the file and the
    /// place.</exception>
    public static ChatTemplate Load(string directory) => ChatTemplateFiles.Load(directory);

    /// <summary>The text of a conversation, and where in it the assistant speaks if the template marks that.</summary>
    /// <param name="messages">The conversation, at least one message.</param>
    /// <param name="options">What else the template is given; null for the defaults.</param>
    /// <exception cref="TemplateException">The template refuses the conversation, fails, or meets a limit.</exception>
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
                $"{nameof(ChatOptions.AddGenerationPrompt)} begins a message, {nameof(ChatOptions.ContinueFinalMessage)} goes on with the last: both are set",
                nameof(options)
            );
        var template = Select(options);
        if (!options.ContinueFinalMessage)
            return Rendered(template, messages, options);
        var (marked, text) = Continuation.Mark(messages, template.Source);
        return Continuation.Cut(Rendered(template, marked, options), text);
    }

    /// <summary>The text of a conversation, with the assistant's parts found by rendering its beginnings: for templates that do not mark
    /// them.</summary>
    /// <remarks>An assistant's part goes from where the text leaves what is rendered before it with a generation prompt (its end, or before
    /// the thinking that only a generation prompt opens) to the end of what is rendered with it, so what ends a turn (and a line end after
    /// it) is part of it. Possible only where the text of a beginning is the beginning of the text: templates that drop the reasoning of
    /// earlier turns are not of that kind.</remarks>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">What else the template is given, without a generation prompt or continuation.</param>
    /// <exception cref="ArgumentException">As <see cref="Render"/>; or the text of the messages up to one is not the beginning of the whole
    /// text: the message says which.</exception>
    /// <exception cref="TemplateException">As <see cref="Render"/>; also where the template refuses a beginning of the
    /// conversation.</exception>
    public RenderedChat RenderByPrefixes(IReadOnlyList<ChatMessage> messages, ChatOptions? options = null)
    {
        options ??= new ChatOptions();
        if (options.AddGenerationPrompt || options.ContinueFinalMessage)
            throw new ArgumentException(
                "a conversation that is learnt has neither a generation prompt nor a continued message",
                nameof(options)
            );
        string text = Render(messages, options).Text;
        List<TextSpan> spans = [];
        for (var place = 0; place < messages.Count; place++)
        {
            if (messages[place].Role != "assistant")
                continue;
            if (place == 0)
                throw new ArgumentException("message 0 is the assistant's: there is nothing before it to render", nameof(messages));
            var start = PromptLength(text, [.. messages.Take(place)], options) ?? throw Changes(place, messages);
            var end = Beginning(text, [.. messages.Take(place + 1)], options, place);
            if (end < start)
                throw new ArgumentException($"the text up to message {place} is shorter than the prompt before it", nameof(messages));
            spans.Add(new TextSpan(start, end));
        }

        return new RenderedChat(text, spans);
    }

    /// <summary>The tokens of a conversation, and which of them the assistant spoke if the template marks that.</summary>
    /// <remarks>The same as <c>Render(messages, options).Encode(tokenizer)</c>.</remarks>
    public EncodedChat Encode(IOffsetTokenizer tokenizer, IReadOnlyList<ChatMessage> messages, ChatOptions? options = null) =>
        Render(messages, options).Encode(tokenizer);

    private int Beginning(string text, IReadOnlyList<ChatMessage> messages, ChatOptions options, int place)
    {
        string beginning = Render(messages, options).Text;
        return text.StartsWith(beginning, StringComparison.Ordinal) ? beginning.Length : throw Changes(place, messages);
    }

    private static ArgumentException Changes(int place, IReadOnlyList<ChatMessage> messages) =>
        new(
            $"the template changes what comes before message {place} when more follows, so the assistant's part cannot be told apart; mark it with {{% generation %}}",
            nameof(messages)
        );

    /// <summary>Length of the prompt in a rendered conversation: its common beginning with the messages before the answer, rendered with a
    /// generation prompt.</summary>
    /// <param name="whole">The rendered conversation.</param>
    /// <param name="asked">The messages before the answer.</param>
    /// <param name="options">As for <paramref name="whole"/>.</param>
    /// <returns>Null where the two differ before the last of the messages is written.</returns>
    internal int? PromptLength(string whole, IReadOnlyList<ChatMessage> asked, ChatOptions options)
    {
        string prompt = Render(asked, options with { AddGenerationPrompt = true }).Text;
        if (whole.StartsWith(prompt, StringComparison.Ordinal))
            return prompt.Length;
        var common = Common(whole, prompt);
        // A text that stands nowhere, as a template may change it, says nothing about the place.
        var written = 0;
        foreach (var text in asked.Select(message => message.Content?.Trim()).OfType<string>())
            written = whole.IndexOf(text, written, StringComparison.Ordinal) is var at and >= 0 ? at + text.Length : written;
        return common >= written ? common : null;
    }

    // Without half of a surrogate pair.
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
