using System.Text.Json;
using PostTrain.Data;
using PostTrain.Data.Text;
using PostTrain.RewardModeling;

namespace PostTrain.Samples.Support;

/// <summary>Reads the user's files: JSON Lines, or one JSON array.</summary>
public static class UserData
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    /// <summary>Demonstrations of prompt/completion, instruction/input/output, question/answer or messages.</summary>
    public static IReadOnlyList<Demonstration> Demonstrations(string path, InstructionTemplate template) => Read(path, "prompt and completion, instruction and output, question and answer, or messages", record =>
        record switch
        {
            { Messages: { } messages } => template.Conversation(messages),
            { Prompt: { } prompt, Completion: { } completion } => new Demonstration(prompt, completion),
            _ when Instruction(record) is { } instruction && (record.Output ?? record.Answer ?? record.Completion) is { } output => new Demonstration(template.Prompt(instruction, record.Input), output),
            _ => null,
        });

    /// <summary>Pairs with a prompt or an instruction; without either, what both completions begin with.</summary>
    public static IReadOnlyList<PreferencePair> Pairs(string path, InstructionTemplate template) => Read(path, "chosen and rejected, and a prompt or an instruction", record =>
        record switch
        {
            not { Chosen: not null, Rejected: not null } => null,
            { Prompt: { } prompt } => new PreferencePair(prompt, record.Chosen, record.Rejected),
            _ when Instruction(record) is { } instruction => new PreferencePair(template.Prompt(instruction, record.Input), record.Chosen, record.Rejected),
            _ => PromptExtraction.Extract(record.Chosen, record.Rejected),
        });

    /// <summary>Problems with the answer that a verifier compares with.</summary>
    public static IReadOnlyList<Problem> Problems(string path, InstructionTemplate template) => Read(path, "a prompt or a question, and an answer", record =>
        (record.Prompt ?? (Instruction(record) is { } instruction ? template.Prompt(instruction, record.Input) : null)) is { } prompt
            && (record.Answer ?? record.Output ?? record.Completion) is { } answer ? new Problem(prompt, answer) : null);

    /// <summary>Solutions in steps that were judged: prompt, completions, labels.</summary>
    public static IReadOnlyList<StepwiseExample> Steps(string path) => Read(path, "prompt, completions and as many labels", record =>
        record is { Prompt: { } prompt, Completions: { } steps, Labels: { } labels } && steps.Count == labels.Count
            ? new StepwiseExample(prompt, steps, [.. labels.Select(label => label ? 1 : 0)]) : null);

    /// <summary>Those that fit into a context; says how many do not.</summary>
    /// <param name="items">The data.</param>
    /// <param name="tokenizer">Counts tokens.</param>
    /// <param name="most">The most tokens.</param>
    /// <param name="texts">The texts of an item, each of which must fit.</param>
    public static IReadOnlyList<T> Fitting<T>(IReadOnlyList<T> items, ITokenizer tokenizer, int most, Func<T, IEnumerable<string>> texts)
    {
        ArgumentNullException.ThrowIfNull(items);
        T[] fitting = [.. items.Where(item => texts(item).All(text => tokenizer.Encode(text).Length <= most))];
        if (fitting.Length < 4) throw new ArgumentException($"{fitting.Length} of {items.Count} records have at most {most} tokens, which the model can read; expected at least 4");
        if (fitting.Length < items.Count) Console.WriteLine($"{items.Count - fitting.Length} of {items.Count} records are longer than {most} tokens and are left out");
        return fitting;
    }

    /// <summary>The last records are held out: as many as asked for, a quarter at most.</summary>
    public static (IReadOnlyList<T> Train, IReadOnlyList<T> HeldOut) Split<T>(IReadOnlyList<T> items, int heldOut)
    {
        ArgumentNullException.ThrowIfNull(items);
        int count = Math.Clamp(items.Count / 4, 1, heldOut);
        return ([.. items.Take(items.Count - count)], [.. items.Skip(items.Count - count)]);
    }

    private static string? Instruction(UserRecord record) => record.Instruction ?? record.Question;

    private static T[] Read<T>(string path, string expected, Func<UserRecord, T?> convert)
        where T : class
    {
        var records = IsArray(path) ? Array(path) : JsonLines.Read<UserRecord>(path);
        return [.. records.Select((record, index) => convert(record) ?? throw new InvalidDataException($"{path}: record {index + 1} lacks fields, expected {expected}"))];
    }

    private static bool IsArray(string path)
    {
        using var reader = new StreamReader(path);
        int character;
        do character = reader.Read(); while (character >= 0 && char.IsWhiteSpace((char)character));
        return character == '[';
    }

    private static UserRecord[] Array(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return JsonSerializer.Deserialize<UserRecord[]>(stream, Options) ?? [];
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path}: expected an array of JSON objects: {exception.Message}", exception);
        }
    }
}
