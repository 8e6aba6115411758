using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Data.Records;

/// <summary>Forms of training examples, each from records with any of the usual field names.</summary>
/// <remarks>
/// Field names are matched without regard to case and underscores. The first of several names that has a value counts. An instruction is
/// <c>instruction</c>, <c>question</c> (after a <c>body</c>, as in SVAMP), <c>problem</c> or <c>query</c>; its input is <c>input</c> or
/// <c>context</c>. Instructions and conversations are rendered by the template; a text <c>prompt</c> is used unchanged. Conversations have
/// <c>role</c> and <c>content</c>, or <c>from</c> and <c>value</c> as in ShareGPT; <c>tools</c> beside them are those of the conversation.
/// </remarks>
public static class RecordForms
{
    private static readonly string[] Outputs = ["output", "response", "solution", "answer", "completion"];
    private static readonly string[] Dialogue = ["\n\nAssistant:", "\n\nHuman:"];

    /// <summary>Demonstrations for supervised fine-tuning: <c>prompt</c> and <c>completion</c>; an instruction and <c>output</c>,
    /// <c>response</c>, <c>solution</c> or <c>answer</c>; an <c>instruction</c> with <c>instances</c> of <c>input</c> and <c>output</c>,
    /// one demonstration each; <c>messages</c> or <c>conversations</c>, of which every message of the assistant is learnt; or a
    /// <c>text</c>, learnt whole.</summary>
    /// <remarks>Where the template has no <c>{% generation %}</c> blocks and changes earlier messages when others follow, a conversation
    /// becomes one demonstration for each message of the assistant.</remarks>
    /// <param name="template">Renders instructions and conversations as prompts.</param>
    public static RecordForm<Demonstration> Demonstrations(InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new(
            "prompt and completion, instruction and output, question and answer, or messages",
            (record, options) => Shown(record, template, options)
        );
    }

    /// <summary>Preferences: <c>chosen</c> and <c>rejected</c> (or <c>response_j</c> and <c>response_k</c>), texts or conversations of any
    /// number of turns, with a <c>prompt</c> or an instruction. Without either, the prompt is their common beginning: the same messages,
    /// the dialogue up to the last "Assistant:", or the same letters (<see cref="PromptExtraction"/>).</summary>
    /// <param name="template">Renders instructions and conversations as prompts.</param>
    public static RecordForm<PreferencePair> Pairs(InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new(
            "chosen and rejected, and optionally a prompt or an instruction",
            (record, _) => Pair(record, template) is { } pair ? [pair] : null
        );
    }

    /// <summary>Completions with a verdict: a demonstration with a <c>label</c> or <c>desirable</c> (true or false, 1 or
    /// 0); or preferences as in <see cref="Pairs"/>, which give two completions each.</summary>
    /// <param name="template">Renders instructions and conversations as prompts.</param>
    public static RecordForm<JudgedCompletion> Judged(InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new(
            "prompt, completion and label, or chosen and rejected",
            (record, options) =>
                record.Verdict("label", "desirable") is { } label
                    ? Shown(record, template, options)?.Select(item => new JudgedCompletion(item.Prompt, item.Completion, label))
                : Pair(record, template) is { } pair ? [new(pair.Prompt, pair.Chosen, true), new(pair.Prompt, pair.Rejected, false)]
                : null
        );
    }

    /// <summary>Problems with a reference answer for a verifier: a <c>prompt</c> (a text, or messages of any number of turns) or an
    /// instruction, and <c>answer</c>, <c>final_answer</c>, <c>ground_truth</c>, <c>solution</c>, <c>output</c>, <c>response</c> or
    /// <c>completion</c>. If an answer contains <c>####</c>, only the text after it is kept. All other fields become
    /// <see cref="Problem.Fields"/>.</summary>
    /// <param name="template">Renders instructions and conversations as prompts.</param>
    public static RecordForm<Problem> Problems(InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new(
            "a prompt or a question, and an answer",
            (record, _) =>
                Prompt(record, template) is { } prompt
                && record.Text("answer", "finalanswer", "groundtruth", "solution", "output", "response", "completion") is { } answer
                    ? [new Problem(prompt, Final(answer)) { Fields = record.Others() }]
                    : null
        );
    }

    private static IEnumerable<Demonstration>? Shown(JsonRecord record, InstructionTemplate template, RecordOptions options)
    {
        if (record.Messages("messages", "conversations", "conversation") is { } messages)
            return Talk(messages, given: 0, record, template, options);
        if (record.HoldsMessages("prompt") && record.Messages("prompt") is { } asked)
            return Answers(record, "completion") is { } answers
                ? Talk([.. asked, .. answers], asked.Count, record, template, options)
                : null;
        if (record.Marked("prompt") is { } prompt && record.Marked("completion") is { } completion)
            return [new Demonstration(prompt, completion)];
        if (Instruction(record) is not { } instruction)
            return record.Marked("text") is { } text ? [new Demonstration("", text)] : null;
        if (record.List("instances") is { } instances)
            return instances.Select(instance =>
                template.Answered(instruction, instance.Text("input"), instance.Text(Outputs) ?? throw instance.Lacks("input and output"))
            );
        return record.Text(Outputs) is { } output ? [template.Answered(instruction, record.Text("input", "context"), output)] : null;
    }

    // One text where the template allows it, else one for each message of the assistant.
    private static IEnumerable<Demonstration> Talk(
        IReadOnlyList<ChatMessage> messages,
        int given,
        JsonRecord record,
        InstructionTemplate template,
        RecordOptions options
    )
    {
        var conversation = new ConversationOptions
        {
            Learnt = options.Learnt,
            Given = given,
            Tools = record.Schemas("tools"),
        };
        if (!template.ChangesEarlierTurns(messages, conversation))
            return [template.Conversation(messages, conversation)];
        record.Note(DataFinding.SplitConversation);
        return template.Turns(messages, conversation);
    }

    private static PreferencePair? Pair(JsonRecord record, InstructionTemplate template)
    {
        if (record.HoldsMessages("chosen", "responsej"))
            return ConversationPair(record, template);
        if (record.Marked("chosen", "responsej") is not { } better || record.Marked("rejected", "responsek") is not { } worse)
            return null;
        if (Answers(record, template) is { } answered)
            return Joined(answered(better), answered(worse));
        var (chosen, rejected) = (better.Text, worse.Text);
        int place = chosen.LastIndexOf(Dialogue[0], StringComparison.Ordinal) + Dialogue[0].Length;
        return
            chosen.StartsWith(Dialogue[1], StringComparison.Ordinal)
            && place >= Dialogue[0].Length
            && rejected.StartsWith(chosen[..place], StringComparison.Ordinal)
            ? new PreferencePair(chosen[..place], chosen[place..], rejected[place..])
            : PromptExtraction.Extract(chosen, rejected);
    }

    private static PreferencePair? ConversationPair(JsonRecord record, InstructionTemplate template)
    {
        if (record.Messages("chosen", "responsej") is not { } chosen || record.Messages("rejected", "responsek") is not { } rejected)
            return null;
        var (prompt, better, worse) = PromptExtraction.Extract(chosen, rejected);
        // Without common messages the two are the answers only, and the prompt is in its own field.
        if (prompt.Count == 0)
            prompt =
                record.HoldsMessages("prompt") ? record.Messages("prompt")!
                : record.Text("prompt", "instruction", "question") is { } asked ? [new ChatMessage("user", asked)]
                : throw record.Lacks("conversations that begin with the same messages, or a prompt");
        var conversation = new ConversationOptions { Given = prompt.Count, Tools = record.Schemas("tools") };
        return Joined(
            template.Conversation([.. prompt, .. better], conversation),
            template.Conversation([.. prompt, .. worse], conversation)
        );
    }

    // A template may open a turn in two ways, such as with and without thinking: the prompt is the common prefix.
    private static PreferencePair Joined(Demonstration chosen, Demonstration rejected)
    {
        if (chosen.Prompt == rejected.Prompt)
            return new PreferencePair(chosen.Prompt, chosen.Completion, rejected.Completion);
        string shorter = chosen.Prompt.Length < rejected.Prompt.Length ? chosen.Prompt : rejected.Prompt,
            longer = chosen.Prompt.Length < rejected.Prompt.Length ? rejected.Prompt : chosen.Prompt;
        if (!longer.StartsWith(shorter, StringComparison.Ordinal))
            throw new ArgumentException("the template renders the common messages of the two conversations differently");
        MarkedText Rest(Demonstration side) => Longer(side.Completion, side.Prompt.Text[shorter.Length..]);
        return new PreferencePair(chosen.Prompt with { Text = shorter }, Rest(chosen), Rest(rejected));
    }

    // What one side's template opens the turn with is learnt where the whole completion is.
    private static MarkedText Longer(MarkedText completion, string opening) => opening.Length == 0 ? completion : completion.After(opening);

    // Returns a function from a completion of the record's prompt to a demonstration; null if the record has no prompt.
    private static Func<MarkedText, Demonstration>? Answers(JsonRecord record, InstructionTemplate template)
    {
        if (record.HoldsMessages("prompt"))
        {
            var asked = record.Messages("prompt")!;
            var conversation = new ConversationOptions { Given = asked.Count, Tools = record.Schemas("tools") };
            return answer => template.Conversation([.. asked, new ChatMessage("assistant", answer)], conversation);
        }
        if (record.Marked("prompt") is { } prompt)
            return answer => new Demonstration(prompt, answer);
        return Instruction(record) is { } instruction
            ? answer => template.Answered(instruction, record.Text("input", "context"), answer)
            : null;
    }

    private static IReadOnlyList<ChatMessage>? Answers(JsonRecord record, string name) =>
        record.HoldsMessages(name) ? record.Messages(name)
        : record.Text(name) is { } text ? [new ChatMessage("assistant", text)]
        : null;

    private static MarkedText? Prompt(JsonRecord record, InstructionTemplate template) =>
        record.HoldsMessages("prompt")
            ? template.Prompt(record.Messages("prompt")!, record.Schemas("tools"))
            : record.Marked("prompt")
                ?? (
                    Instruction(record) is { } instruction
                        ? template.Prompt(instruction, record.Text("input", "context"))
                        : (MarkedText?)null
                );

    private static string? Instruction(JsonRecord record)
    {
        var instruction = record.Text("instruction", "question", "problem", "query");
        if (instruction is null || record.Text("body") is not { Length: > 0 } body)
            return instruction;
        body = body.TrimEnd();
        return body.EndsWith('.') || body.EndsWith('?') || body.EndsWith('!') || body.EndsWith(',')
            ? $"{body} {instruction}"
            : $"{body}. {instruction}";
    }

    private static string Final(string answer)
    {
        int place = answer.LastIndexOf("####", StringComparison.Ordinal);
        string rest = place < 0 ? "" : answer[(place + 4)..].Split('\n')[0].Trim();
        return rest.Length > 0 ? rest : answer;
    }
}
