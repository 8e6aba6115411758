using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Data.Records;

/// <summary>Reads data sets in the forms in which they are usually published: JSON Lines or one JSON array, whose fields have any of the
/// usual names.</summary>
/// <remarks>
/// Field names are matched without regard to case and underscores; of several names the first that has a value counts, other fields are
/// ignored. An instruction is <c>instruction</c>, <c>question</c> (after a <c>body</c>, as in SVAMP), <c>problem</c> or <c>query</c>; its
/// input is <c>input</c> or <c>context</c>; instructions and conversations go through the template, a <c>prompt</c> that is a text stays as
/// it is. Conversations have <c>role</c> and <c>content</c>, or <c>from</c> and <c>value</c> as ShareGPT's. Every error is an
/// <see cref="InvalidDataException"/> that names the file, the line or record, what it has and what was expected; a missing file is a
/// <see cref="FileNotFoundException"/>.
/// </remarks>
/// <example><code>
/// var data = RecordReader.Demonstrations("alpaca.json", InstructionTemplate.Alpaca);
/// var problems = RecordReader.Problems("gsm8k.jsonl", InstructionTemplate.Plain);          // the answer is what stands after ####
/// </code></example>
public static class RecordReader
{
    private static readonly string[] Outputs = ["output", "response", "solution", "answer", "completion"];
    private static readonly string[] Dialogue = ["\n\nAssistant:", "\n\nHuman:"];

    /// <summary>What supervised fine-tuning learns from: <c>prompt</c> and <c>completion</c>; an instruction and <c>output</c>,
    /// <c>response</c>, <c>solution</c> or <c>answer</c>; an <c>instruction</c> with <c>instances</c> of <c>input</c> and <c>output</c>,
    /// one demonstration each; <c>messages</c> or <c>conversations</c>, whose last message is learnt.</summary>
    /// <param name="path">The file.</param>
    /// <param name="template">Writes instructions and conversations as prompts.</param>
    public static IReadOnlyList<Demonstration> Demonstrations(string path, InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return RecordFile.Read(
            path,
            "prompt and completion, instruction and output, question and answer, or messages",
            record => Demonstrations(record, template)
        );
    }

    /// <summary>Preferences: <c>chosen</c> and <c>rejected</c> (or <c>response_j</c> and <c>response_k</c>), texts or conversations, with a
    /// <c>prompt</c> or an instruction; without either the prompt is what both begin with: the same messages, the dialogue up to the last
    /// "Assistant:", or the same letters (<see cref="PromptExtraction"/>).</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate)"/>
    public static IReadOnlyList<PreferencePair> Pairs(string path, InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return RecordFile.Read<PreferencePair>(
            path,
            "chosen and rejected, and perhaps a prompt or an instruction",
            record => Pair(record, template) is { } pair ? [pair] : null
        );
    }

    /// <summary>Completions with a verdict: <c>prompt</c>, <c>completion</c> and <c>label</c> (true or false, 1 or 0); or preferences as
    /// <see cref="Pairs"/> reads them, which are two each.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate)"/>
    public static IReadOnlyList<JudgedCompletion> Judged(string path, InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return RecordFile.Read(
            path,
            "prompt, completion and label, or chosen and rejected",
            record =>
                record.Verdict("label") is { } label
                    ? Demonstrations(record, template)?.Select(item => new JudgedCompletion(item.Prompt, item.Completion, label))
                : Pair(record, template) is { } pair ? [new(pair.Prompt, pair.Chosen, true), new(pair.Prompt, pair.Rejected, false)]
                : null
        );
    }

    /// <summary>Problems with the answer that a verifier compares with: a <c>prompt</c> (a text, or messages) or an instruction, and
    /// <c>answer</c>, <c>final_answer</c>, <c>ground_truth</c>, <c>solution</c>, <c>output</c>, <c>response</c> or <c>completion</c>. Of an
    /// answer that is worked out, only what follows <c>####</c> is kept. All other fields become <see cref="Problem.Fields"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate)"/>
    public static IReadOnlyList<Problem> Problems(string path, InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return RecordFile.Read<Problem>(
            path,
            "a prompt or a question, and an answer",
            record =>
                Prompt(record, template) is { } prompt
                && record.Text("answer", "finalanswer", "groundtruth", "solution", "output", "response", "completion") is { } answer
                    ? [new Problem(prompt, Final(answer)) { Fields = record.Others() }]
                    : null
        );
    }

    private static IEnumerable<Demonstration>? Demonstrations(JsonRecord record, InstructionTemplate template)
    {
        if (record.Messages("messages", "conversations", "conversation") is { } messages)
            return [template.Conversation(messages)];
        if (record.HoldsMessages("prompt") && record.Messages("prompt") is { } asked)
            return Answer(record, "completion") is { } answer ? [template.Conversation([.. asked, answer])] : null;
        if (record.Marked("prompt") is { } prompt && record.Marked("completion") is { } completion)
            return [new Demonstration(prompt, completion)];
        if (Instruction(record) is not { } instruction)
            return null;
        if (record.List("instances") is { } instances)
            return instances.Select(instance =>
                template.Answered(instruction, instance.Text("input"), instance.Text(Outputs) ?? throw instance.Lacks("input and output"))
            );
        return record.Text(Outputs) is { } output ? [template.Answered(instruction, record.Text("input", "context"), output)] : null;
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
        // Without common messages the two are the answers alone, and the prompt stands in a field of its own.
        if (prompt.Count == 0)
            prompt =
                record.HoldsMessages("prompt") ? record.Messages("prompt")!
                : record.Text("prompt", "instruction", "question") is { } asked ? [new ChatMessage("user", asked)]
                : throw record.Lacks("conversations that begin with the same messages, or a prompt");
        if (better.Count > 1 || worse.Count > 1)
            throw new ArgumentException("the two conversations differ before their last message");
        return Joined(template.Conversation([.. prompt, .. better]), template.Conversation([.. prompt, .. worse]));
    }

    // A template may open a turn in two ways, such as with thinking and without: the prompt is what both begin with.
    private static PreferencePair Joined(Demonstration chosen, Demonstration rejected)
    {
        if (chosen.Prompt == rejected.Prompt)
            return new PreferencePair(chosen.Prompt, chosen.Completion, rejected.Completion);
        string shorter = chosen.Prompt.Length < rejected.Prompt.Length ? chosen.Prompt : rejected.Prompt,
            longer = chosen.Prompt.Length < rejected.Prompt.Length ? rejected.Prompt : chosen.Prompt;
        if (!longer.StartsWith(shorter, StringComparison.Ordinal))
            throw new ArgumentException("the two conversations differ before their last message");
        MarkedText Rest(Demonstration side) => side.Completion with { Text = side.Prompt.Text[shorter.Length..] + side.Completion.Text };
        return new PreferencePair(chosen.Prompt with { Text = shorter }, Rest(chosen), Rest(rejected));
    }

    // Completions of a record's prompt as demonstrations; null where it has none.
    private static Func<MarkedText, Demonstration>? Answers(JsonRecord record, InstructionTemplate template)
    {
        if (record.HoldsMessages("prompt"))
        {
            var asked = record.Messages("prompt")!;
            return answer => template.Conversation([.. asked, new ChatMessage("assistant", answer)]);
        }
        if (record.Marked("prompt") is { } prompt)
            return answer => new Demonstration(prompt, answer);
        return Instruction(record) is { } instruction
            ? answer => template.Answered(instruction, record.Text("input", "context"), answer)
            : null;
    }

    private static ChatMessage? Answer(JsonRecord record, string name) =>
        record.HoldsMessages(name)
            ? record.Messages(name) is [var only]
                ? only
                : null
            : record.Text(name) is { } text
                ? new ChatMessage("assistant", text)
                : null;

    private static MarkedText? Prompt(JsonRecord record, InstructionTemplate template) =>
        record.HoldsMessages("prompt")
            ? template.Prompt(record.Messages("prompt")!)
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
