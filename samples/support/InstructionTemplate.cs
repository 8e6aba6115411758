using PostTrain.Data;
using PostTrain.Data.Chat;

namespace PostTrain.Samples.Support;

/// <summary>Turns instructions into prompts: a format of one's own, Alpaca's, or the model's chat template.</summary>
public sealed class InstructionTemplate
{
    private const string Alpaca = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n";
    private const string AlpacaInput = "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request."
        + "\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";

    private readonly string without;
    private readonly string with;
    private readonly ChatTemplate? chat;

    private InstructionTemplate(string without, string with, ChatTemplate? chat = null) => (this.without, this.with, this.chat) = (without, with, chat);

    /// <summary>The template of a name: <c>plain</c>, <c>alpaca</c>, <c>chat</c> (the model's own), or a format with <c>{instruction}</c> and <c>{input}</c>.</summary>
    public static InstructionTemplate Of(string name, string modelFolder) => name switch
    {
        "plain" => new("{instruction}", "{instruction}\n{input}"),
        "alpaca" => new(Alpaca, AlpacaInput),
        "chat" => new("", "", ChatTemplate.Load(modelFolder)),
        _ when name?.Contains("{instruction}", StringComparison.Ordinal) == true => new(name.Replace("{input}", "", StringComparison.Ordinal), name),
        _ => throw new ArgumentException($"--template is '{name}', expected plain, alpaca, chat or a format with {{instruction}} and perhaps {{input}}"),
    };

    /// <summary>The prompt of an instruction.</summary>
    public string Prompt(string instruction, string? input)
    {
        bool hasInput = !string.IsNullOrWhiteSpace(input);
        if (chat is not null) return Render([new("user", hasInput ? $"{instruction}\n\n{input}" : instruction)], ask: true);
        return (hasInput ? with : without).Replace("{instruction}", instruction, StringComparison.Ordinal).Replace("{input}", input, StringComparison.Ordinal);
    }

    /// <summary>A conversation whose last message is to be learnt.</summary>
    public Demonstration Conversation(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (chat is null) throw new ArgumentException("the data hold conversations, which need --template chat and a model with a chat template");
        if (messages is not [.., { Role: "assistant" }]) throw new InvalidDataException("a conversation does not end with the assistant's message, which is to be learnt");
        string prompt = Render([.. messages.Take(messages.Count - 1)], ask: true), whole = Render(messages, ask: false);
        if (!whole.StartsWith(prompt, StringComparison.Ordinal)) throw new InvalidDataException("the chat template changes earlier messages when an answer follows them");
        // The trainer ends each completion with the tokenizer's own end of sequence.
        string completion = whole[prompt.Length..].TrimEnd();
        string end = chat.SpecialTokens.GetValueOrDefault("eos_token", "");
        return new Demonstration(prompt, end.Length > 0 && completion.EndsWith(end, StringComparison.Ordinal) ? completion[..^end.Length] : completion);
    }

    private string Render(IReadOnlyList<ChatMessage> messages, bool ask) => chat!.Render(messages, new ChatOptions { AddGenerationPrompt = ask }).Text;
}
