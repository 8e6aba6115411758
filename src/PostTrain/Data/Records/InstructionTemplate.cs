using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Data.Records;

/// <summary>Renders instructions and conversations as prompts: with your own format, Alpaca's, R1-Zero's, or the model's chat
/// template.</summary>
public sealed class InstructionTemplate
{
    private const string Instruction = "{instruction}",
        Input = "{input}";
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
    /// <exception cref="ArgumentException">This is not a chat template, and there are several turns, or a role or content that a format
    /// cannot express.</exception>
    public MarkedText Prompt(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (chat is not null)
            return Render(messages, ask: true);
        return messages switch
        {
            [{ Role: "user", Content: { } user }] => Prompt(user),
            [{ Role: "system", Content: { } system }, { Role: "user", Content: { } user }] => Prompt($"{system}\n\n{user}"),
            _ => throw new ArgumentException(
                $"the conversation before the answer has the roles {string.Join(", ", messages.Select(message => message.Role))}, "
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
            : Conversation([User(instruction, input), new("assistant", answer)]);
    }

    /// <summary>Returns a demonstration of a conversation; its last message is the completion.</summary>
    /// <remarks>With a chat template, prompt and completion together are the rendered conversation. The prompt is the common prefix of that
    /// text and the messages before the answer rendered with a generation prompt, as in TRL. If a generation prompt opens the thinking and
    /// the answer is rendered without it, the prompt ends before that.</remarks>
    /// <exception cref="ArgumentException">The conversation does not end with a message of the assistant; or as for <see
    /// cref="Prompt(IReadOnlyList{ChatMessage})"/>; or the chat template changes earlier messages if an answer follows.</exception>
    public Demonstration Conversation(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages is not [_, .., { Role: "assistant" } answer])
            throw new ArgumentException(
                $"the conversation has the roles {string.Join(", ", messages.Select(message => message.Role))}, "
                    + "expected the assistant's message at the end and another message before it",
                nameof(messages)
            );
        ChatMessage[] asked = [.. messages.Take(messages.Count - 1)];
        if (chat is null)
            return new Demonstration(
                Prompt(asked),
                answer.Content
                    ?? throw new ArgumentException(
                        "the assistant's message has no text, which only a chat template can render",
                        nameof(messages)
                    )
            );
        string whole = chat.Render(messages, options).Text;
        int border =
            chat.PromptLength(whole, asked, options)
            ?? throw new ArgumentException("the chat template changes earlier messages if an answer follows them", nameof(messages));
        return new Demonstration(MarkedText.Rendered(whole[..border]), MarkedText.Rendered(whole[border..]));
    }

    private static ChatMessage User(string instruction, string? input) =>
        new("user", string.IsNullOrWhiteSpace(input) ? instruction : $"{instruction}\n\n{input}");

    private MarkedText Render(IReadOnlyList<ChatMessage> messages, bool ask) =>
        chat!.Render(messages, options with { AddGenerationPrompt = ask }).Text;
}
