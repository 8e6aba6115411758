using System.Text.Json;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Data.Records;

/// <summary>Renders instructions and conversations as prompts: with your own format, Alpaca's, R1-Zero's, or the model's chat
/// template.</summary>
public sealed class InstructionTemplate
{
    private const string Instruction = "{instruction}",
        Input = "{input}",
        Assistant = "assistant";
    private readonly string without;
    private readonly string with;
    private readonly ChatTemplate? chat;
    private readonly ChatOptions options;

    private InstructionTemplate(string without, string with, ChatTemplate? chat = null, ChatOptions? options = null) =>
        (this.without, this.with, this.chat, this.options) = (without, with, chat, options ?? new ChatOptions());

    /// <summary>The instruction itself, with its input on the next line.</summary>
    public static InstructionTemplate Plain { get; } = new(Instruction, $"{Instruction}\n{Input}");

    /// <summary>Alpaca's two prompts, with and without an input.</summary>
    /// <remarks>Taori et al. 2023, github.com/tatsu-lab/stanford_alpaca.</remarks>
    public static InstructionTemplate Alpaca { get; } =
        new(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### "
                + $"Instruction:\n{Instruction}\n\n### Response:\n",
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a response "
                + "that appropriately completes the request."
                + $"\n\n### Instruction:\n{Instruction}\n\n### Input:\n{Input}\n\n### Response:\n"
        );

    /// <summary>A prompt that asks a base model to think between tags and then answer between tags.</summary>
    /// <remarks>DeepSeek-AI 2025, arXiv:2501.12948, table 1.</remarks>
    public static InstructionTemplate R1Zero { get; } =
        Format(
            "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first "
                + "thinks about the reasoning process in the mind and then provides the user with the answer. "
                + "The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, "
                + "i.e., <think> reasoning process here </think> <answer> answer here </answer>. "
                + $"User: {Instruction} Assistant:"
        );

    /// <summary>Creates a template from a format with <c>{instruction}</c> and optionally <c>{input}</c>. Without an input, <c>{input}</c>
    /// and the white space before it are removed.</summary>
    /// <exception cref="ArgumentException">The format has no <c>{instruction}</c>.</exception>
    public static InstructionTemplate Format(string format)
    {
        ArgumentNullException.ThrowIfNull(format);
        if (!format.Contains(Instruction, StringComparison.Ordinal))
            throw new ArgumentException(
                $"the format is '{format}', expected one with {Instruction}, and with {Input} for records that have one",
                nameof(format)
            );
        int place = format.IndexOf(Input, StringComparison.Ordinal);
        return place < 0
            ? new(format, $"{format.Replace(Instruction, $"{Instruction}\n{Input}", StringComparison.Ordinal)}")
            : new(format[..place].TrimEnd() + format[(place + Input.Length)..], format);
    }

    /// <summary>Creates a template from a model's chat template. Its texts are marked as rendered and encoded as by <see
    /// cref="RenderedChat.Encode"/>.</summary>
    /// <param name="template">The template.</param>
    /// <param name="options">Further inputs of the template: the time, variables such as <c>enable_thinking</c>, tools; null for the
    /// defaults.</param>
    /// <exception cref="ArgumentException">The options request a generation prompt or a continuation, which this class decides.</exception>
    public static InstructionTemplate Chat(ChatTemplate template, ChatOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(template);
        if (options is { AddGenerationPrompt: true } or { ContinueFinalMessage: true })
            throw new ArgumentException(
                "options set "
                    + (options.AddGenerationPrompt ? nameof(ChatOptions.AddGenerationPrompt) : nameof(ChatOptions.ContinueFinalMessage))
                    + ", expected neither: prompts have a generation prompt, whole conversations none",
                nameof(options)
            );
        return new InstructionTemplate("", "", template, options);
    }

    /// <summary>Returns the prompt of an instruction.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="input">The input of the instruction; null or blank for none.</param>
    public MarkedText Prompt(string instruction, string? input = null)
    {
        ArgumentNullException.ThrowIfNull(instruction);
        bool hasInput = !string.IsNullOrWhiteSpace(input);
        if (chat is not null)
            return Render([User(instruction, input)], ask: true);
        // In one pass, so that an instruction that contains {input} is unchanged.
        return string.Concat(
            (hasInput ? with : without)
                .Split(Instruction)
                .Select((part, i) => (i == 0 ? "" : instruction) + part.Replace(Input, input, StringComparison.Ordinal))
        );
    }

    /// <summary>Returns the prompt of a conversation that the assistant continues.</summary>
    /// <param name="messages">The conversation so far, of any number of turns.</param>
    /// <param name="tools">JSON schemas of the functions that the assistant may call; null for those of the template's options.</param>
    /// <exception cref="ArgumentException">This is not a chat template, and there are several turns or tools, or a role or content that a
    /// format cannot express.</exception>
    public MarkedText Prompt(IReadOnlyList<ChatMessage> messages, IReadOnlyList<JsonElement>? tools = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (chat is not null)
            return Render(messages, ask: true, tools);
        Untooled(tools);
        return messages switch
        {
            [{ Role: "user", Content: { } user }] => Prompt(user),
            [{ Role: "system", Content: { } system }, { Role: "user", Content: { } user }] => Prompt($"{system}\n\n{user}"),
            _ => throw new ArgumentException(
                $"the conversation before the answer has the roles {Roles(messages)}, "
                    + "expected one user message with text (and optionally a system message before it): "
                    + "conversations of several turns need a chat template",
                nameof(messages)
            ),
        };
    }

    /// <summary>Returns an instruction with its answer. A chat template renders both as one conversation, including the end of the
    /// turn.</summary>
    /// <param name="instruction">The request.</param>
    /// <param name="input">The text that the request is about; null or blank for none.</param>
    /// <param name="answer">The completion.</param>
    public Demonstration Answered(string instruction, string? input, string answer)
    {
        ArgumentNullException.ThrowIfNull(instruction);
        ArgumentNullException.ThrowIfNull(answer);
        return chat is null
            ? new Demonstration(Prompt(instruction, input), answer)
            : Conversation([User(instruction, input), new(Assistant, answer)]);
    }

    /// <summary>Returns a demonstration of a whole conversation, of which every message of the assistant is learnt, or what the options
    /// say.</summary>
    /// <remarks>
    /// With a chat template, prompt and completion together are the rendered conversation; the prompt ends where the first learnt message
    /// begins, and <see cref="MarkedText.Learnt"/> of the completion holds the learnt spans where they are not all of it. A template with
    /// <c>{% generation %}</c> blocks says itself what the assistant wrote. For others a span begins where the text departs from the
    /// messages before it rendered with a generation prompt, and ends with the turn (<see cref="ChatTemplate.RenderByPrefixes"/>); a first
    /// message of the assistant, before which there is no prompt, is then given.
    /// </remarks>
    /// <param name="messages">The conversation. It may end with another message than the assistant's, which is not learnt.</param>
    /// <param name="conversation">Which turns are learnt, and tools; null for the defaults.</param>
    /// <exception cref="ArgumentException">This is not a chat template, and the conversation is not of one turn; or the chat template has
    /// no blocks and changes earlier messages if others follow: see <see cref="Turns"/>.</exception>
    public Demonstration Conversation(IReadOnlyList<ChatMessage> messages, ConversationOptions? conversation = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        conversation = Checked(messages, conversation);
        if (chat is null)
            return OneTurn(messages, conversation);
        var used = options with { Tools = conversation.Tools ?? options.Tools };
        return conversation.Learnt == LearntPart.Everything
            ? Everything(messages, conversation.Given, used)
            : Marked(messages, conversation.Given, used);
    }

    /// <summary>Returns one demonstration for each learnt message of the assistant, with the conversation before it as its prompt, as
    /// sampling sees it. For templates that change earlier messages when others follow, as those do that drop earlier
    /// reasoning.</summary>
    /// <inheritdoc cref="Conversation"/>
    public IReadOnlyList<Demonstration> Turns(IReadOnlyList<ChatMessage> messages, ConversationOptions? conversation = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        conversation = Checked(messages, conversation);
        return
        [
            .. Enumerable
                .Range(Math.Max(conversation.Given, 1), Math.Max(messages.Count - Math.Max(conversation.Given, 1), 0))
                .Where(place => messages[place].Role == Assistant)
                .Select(place =>
                    Conversation([.. messages.Take(place + 1)], conversation with { Given = place, Learnt = LearntPart.Assistant })
                ),
        ];
    }

    /// <summary>True if a conversation cannot be learnt as one text because the template changes earlier messages.</summary>
    internal bool ChangesEarlierTurns(IReadOnlyList<ChatMessage> messages, ConversationOptions conversation)
    {
        if (chat is null || conversation.Learnt != LearntPart.Assistant)
            return false;
        var used = options with { Tools = conversation.Tools ?? options.Tools };
        return chat.Render(messages, used).AssistantSpans is null && !chat.KeepsTurns(messages, used, Math.Max(conversation.Given, 1));
    }

    private static ConversationOptions Checked(IReadOnlyList<ChatMessage> messages, ConversationOptions? conversation)
    {
        conversation ??= new ConversationOptions();
        if (conversation.Given < 0 || conversation.Given > messages.Count)
            throw new ArgumentException(
                $"{nameof(ConversationOptions.Given)} is {conversation.Given}, expected 0 to {messages.Count}, the number of messages",
                nameof(conversation)
            );
        if (conversation.Learnt != LearntPart.LastTurn)
            return conversation;
        int last = messages.Count - 1;
        while (last >= 0 && messages[last].Role != Assistant)
            last--;
        return conversation with { Learnt = LearntPart.Assistant, Given = last < 0 ? messages.Count : Math.Max(last, conversation.Given) };
    }

    private Demonstration OneTurn(IReadOnlyList<ChatMessage> messages, ConversationOptions conversation)
    {
        Untooled(conversation.Tools);
        if (messages is not [_, .., { Role: Assistant } answer])
            throw new ArgumentException(
                $"the conversation has the roles {Roles(messages)}, expected the assistant's message at the end and another message "
                    + "before it: other conversations need a chat template",
                nameof(messages)
            );
        return new Demonstration(
            Prompt([.. messages.Take(messages.Count - 1)]),
            answer.Content
                ?? throw new ArgumentException(
                    "the assistant's message has no text, which only a chat template can render",
                    nameof(messages)
                )
        );
    }

    private Demonstration Everything(IReadOnlyList<ChatMessage> messages, int given, ChatOptions used)
    {
        string whole = chat!.Render(messages, used).Text;
        int border = given == 0 ? 0 : Border(whole, [.. messages.Take(given)], used);
        return new Demonstration(MarkedText.Rendered(whole[..border]), MarkedText.Rendered(whole[border..]));
    }

    private Demonstration Marked(IReadOnlyList<ChatMessage> messages, int given, ChatOptions used)
    {
        var rendered = chat!.Render(messages, used);
        IReadOnlyList<TextSpan> spans;
        if (rendered.AssistantSpans is { } blocks)
        {
            int border = given == 0 || blocks.Count == 0 ? 0 : Border(rendered.Text, [.. messages.Take(given)], used);
            spans = [.. blocks.Select(span => span with { Start = Math.Max(span.Start, border) })];
        }
        else
        {
            spans = chat.SpansByPrefixes(messages, used, Math.Max(given, 1)).AssistantSpans!;
        }
        return Of(rendered.Text, [.. spans.Where(span => span.Length > 0)]);
    }

    private static Demonstration Of(MarkedText whole, TextSpan[] spans)
    {
        if (spans.Length == 0)
            return new Demonstration(whole, MarkedText.Rendered("") with { Learnt = [] });
        int start = spans[0].Start;
        var completion = MarkedText.Rendered(whole.Text[start..]);
        return new Demonstration(
            MarkedText.Rendered(whole.Text[..start]),
            spans is [var only] && only.End == whole.Length
                ? completion
                : completion with
                {
                    Learnt = [.. spans.Select(span => new TextSpan(span.Start - start, span.End - start))],
                }
        );
    }

    private int Border(string whole, IReadOnlyList<ChatMessage> asked, ChatOptions used) =>
        chat!.PromptLength(whole, asked, used)
        ?? throw new ArgumentException("the chat template changes earlier messages if an answer follows them", nameof(asked));

    private static void Untooled(IReadOnlyList<JsonElement>? tools)
    {
        if (tools is { Count: > 0 })
            throw new ArgumentException($"there are {tools.Count} tools, which only a chat template can render", nameof(tools));
    }

    private static string Roles(IReadOnlyList<ChatMessage> messages) => string.Join(", ", messages.Select(message => message.Role));

    private static ChatMessage User(string instruction, string? input) =>
        new("user", string.IsNullOrWhiteSpace(input) ? instruction : $"{instruction}\n\n{input}");

    private MarkedText Render(IReadOnlyList<ChatMessage> messages, bool ask, IReadOnlyList<JsonElement>? tools = null) =>
        chat!.Render(messages, options with { AddGenerationPrompt = ask, Tools = tools ?? options.Tools }).Text;
}
