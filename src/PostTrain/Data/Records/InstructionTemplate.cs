using PostTrain.Data.Chat;

namespace PostTrain.Data.Records;

/// <summary>Turns instructions and conversations into prompts: a format of one's own, Alpaca's, R1-Zero's, or the model's chat template.</summary>
public sealed class InstructionTemplate
{
    private const string Instruction = "{instruction}", Input = "{input}";
    private readonly string without;
    private readonly string with;
    private readonly ChatTemplate? chat;

    private InstructionTemplate(string without, string with, ChatTemplate? chat = null) => (this.without, this.with, this.chat) = (without, with, chat);

    /// <summary>The instruction as it is, and its input in the next line.</summary>
    public static InstructionTemplate Plain { get; } = new(Instruction, $"{Instruction}\n{Input}");

    /// <summary>Alpaca's two prompts, with and without an input.</summary>
    /// <remarks>Taori et al. 2023, github.com/tatsu-lab/stanford_alpaca.</remarks>
    public static InstructionTemplate Alpaca { get; } = new(
        $"Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{Instruction}\n\n### Response:\n",
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request."
        + $"\n\n### Instruction:\n{Instruction}\n\n### Input:\n{Input}\n\n### Response:\n");

    /// <summary>The prompt that asks a base model to think between tags before it answers between tags.</summary>
    /// <remarks>DeepSeek-AI 2025, arXiv:2501.12948, table 1.</remarks>
    public static InstructionTemplate R1Zero { get; } = Format(
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. "
        + "The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. "
        + $"User: {Instruction} Assistant:");

    /// <summary>A format of one's own with <c>{instruction}</c>, and <c>{input}</c> where inputs are to stand; without an input, its place and the white space before it are left out.</summary>
    /// <exception cref="ArgumentException">There is no <c>{instruction}</c>.</exception>
    public static InstructionTemplate Format(string format)
    {
        ArgumentNullException.ThrowIfNull(format);
        if (!format.Contains(Instruction, StringComparison.Ordinal)) throw new ArgumentException($"the format is '{format}', expected one with {Instruction}, and with {Input} for records that have one", nameof(format));
        int place = format.IndexOf(Input, StringComparison.Ordinal);
        return place < 0 ? new(format, $"{format.Replace(Instruction, $"{Instruction}\n{Input}", StringComparison.Ordinal)}") : new(format[..place].TrimEnd() + format[(place + Input.Length)..], format);
    }

    /// <summary>A chat model's own template.</summary>
    public static InstructionTemplate Chat(ChatTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new InstructionTemplate("", "", template);
    }

    /// <summary>The prompt of an instruction.</summary>
    /// <param name="instruction">What is asked.</param>
    /// <param name="input">What it is asked of; null or blank for none.</param>
    public string Prompt(string instruction, string? input = null)
    {
        ArgumentNullException.ThrowIfNull(instruction);
        bool hasInput = !string.IsNullOrWhiteSpace(input);
        if (chat is not null) return Render([new("user", hasInput ? $"{instruction}\n\n{input}" : instruction)], ask: true);
        // In one pass, so that an instruction which speaks of {input} stays what it is.
        return string.Concat((hasInput ? with : without).Split(Instruction).Select((part, i) => (i == 0 ? "" : instruction) + part.Replace(Input, input, StringComparison.Ordinal)));
    }

    /// <summary>The prompt of a conversation that the assistant is to go on with.</summary>
    /// <exception cref="ArgumentException">There are several turns, or a role or a content that a format has no place for, and this is not a chat template.</exception>
    public string Prompt(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (chat is not null) return Render(messages, ask: true);
        return messages switch
        {
            [{ Role: "user", Content: { } user }] => Prompt(user),
            [{ Role: "system", Content: { } system }, { Role: "user", Content: { } user }] => Prompt($"{system}\n\n{user}"),
            _ => throw new ArgumentException($"the conversation before the answer has the roles {string.Join(", ", messages.Select(message => message.Role))}, "
                + "expected one user's message with text (and a system's before it): conversations of several turns need the template of a chat model", nameof(messages)),
        };
    }

    /// <summary>A conversation whose last message is to be learnt.</summary>
    /// <exception cref="ArgumentException">It does not end with the assistant's message; or as <see cref="Prompt(IReadOnlyList{ChatMessage})"/>; or the chat template changes earlier messages when an answer follows.</exception>
    public Demonstration Conversation(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages is not [_, .., { Role: "assistant" } answer])
            throw new ArgumentException($"the conversation has the roles {string.Join(", ", messages.Select(message => message.Role))}, expected the assistant's message at its end, which is to be learnt, and another before it", nameof(messages));
        ChatMessage[] asked = [.. messages.Take(messages.Count - 1)];
        string prompt = Prompt(asked);
        if (chat is null) return new Demonstration(prompt, answer.Content ?? throw new ArgumentException("the assistant's message has no text, which only the template of a chat model can write", nameof(messages)));
        string whole = Render(messages, ask: false);
        if (!whole.StartsWith(prompt, StringComparison.Ordinal)) throw new ArgumentException("the chat template changes earlier messages when an answer follows them", nameof(messages));
        // Trainers end each completion with the tokenizer's own end of sequence.
        string completion = whole[prompt.Length..].TrimEnd();
        string end = chat.SpecialTokens.GetValueOrDefault("eos_token", "");
        return new Demonstration(prompt, end.Length > 0 && completion.EndsWith(end, StringComparison.Ordinal) ? completion[..^end.Length] : completion);
    }

    private string Render(IReadOnlyList<ChatMessage> messages, bool ask) => chat!.Render(messages, new ChatOptions { AddGenerationPrompt = ask }).Text;
}
