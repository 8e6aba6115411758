using System.Text;
using PostTrain.Data;
using PostTrain.Text;

namespace PostTrain.Refinement.Instructions;

/// <summary>The prompts of self-instruction. Answers are parsed by their marks: a numbered list; yes or no; <c>Example n</c>,
/// <c>Input:</c>, <c>Output:</c>; <c>Class label:</c>.</summary>
/// <remarks>Prompts of your own, in another language or for another domain, must lead to these marks, each at the beginning of a
/// line.</remarks>
public sealed record SelfInstructPrompts
{
    /// <summary>Asks for more instructions; given are some, the list to be continued with the next number.</summary>
    public Func<IReadOnlyList<string>, MarkedText> Instructions { get; init; } = MoreInstructions;

    /// <summary>Asks whether an instruction is a classification with few labels; given are tasks of both kinds, and the
    /// instruction.</summary>
    public Func<IReadOnlyList<InstructionTask>, string, MarkedText> Classification { get; init; } = Kind;

    /// <summary>Asks for inputs and then their outputs; given are tasks with instances, and the instruction.</summary>
    public Func<IReadOnlyList<InstructionTask>, string, MarkedText> InputFirst { get; init; } = Examples;

    /// <summary>Asks for labels and then inputs that have them, so that the labels are not all alike; given are classifications with
    /// instances, and the instruction.</summary>
    public Func<IReadOnlyList<InstructionTask>, string, MarkedText> OutputFirst { get; init; } = Labels;

    private static MarkedText MoreInstructions(IReadOnlyList<string> instructions)
    {
        var text = new StringBuilder("Come up with a series of tasks:\n");
        for (int i = 0; i < instructions.Count; i++)
            text.Append(Invariant($"{i + 1}. {Line(instructions[i])}\n"));
        return text.Append(Invariant($"{instructions.Count + 1}.")).ToString();
    }

    private static MarkedText Kind(IReadOnlyList<InstructionTask> tasks, string instruction)
    {
        var text = new StringBuilder("Is the task a classification, with a limited number of possible output labels?\n\n");
        foreach (var task in tasks)
            text.Append(Invariant($"Task: {Line(task.Instruction)}\nIs it classification? {(task.IsClassification ? "Yes" : "No")}\n\n"));
        return text.Append(Invariant($"Task: {Line(instruction)}\nIs it classification?")).ToString();
    }

    private static MarkedText Examples(IReadOnlyList<InstructionTask> tasks, string instruction)
    {
        var text = new StringBuilder(
            "Give examples of each task, several where that is possible. Where a task needs no input, give the output alone.\n\n"
        );
        foreach (var task in tasks)
        {
            text.Append(Invariant($"Task: {Line(task.Instruction)}\n"));
            for (int i = 0; i < task.Instances.Count; i++)
            {
                var (input, output) = task.Instances[i];
                text.Append(input.Length == 0 && task.Instances.Count == 1 ? "" : Invariant($"Example {i + 1}\n"))
                    .Append(input.Length == 0 ? "" : $"Input: {input.Trim()}\n")
                    .Append("Output: ")
                    .Append(output.Trim())
                    .Append('\n');
            }
            text.Append('\n');
        }
        return text.Append(Invariant($"Task: {Line(instruction)}\n")).ToString();
    }

    private static MarkedText Labels(IReadOnlyList<InstructionTask> tasks, string instruction)
    {
        var text = new StringBuilder(
            "Each task is a classification. Name its class labels, and for each an input that has it. Where a task needs no input, "
                + "name the labels alone.\n\n"
        );
        foreach (var task in tasks)
        {
            text.Append(Invariant($"Task: {Line(task.Instruction)}\n"));
            foreach (var (input, output) in task.Instances)
                text.Append(Invariant($"Class label: {Line(output)}\n")).Append(input.Length == 0 ? "" : $"Input: {input.Trim()}\n");
            text.Append('\n');
        }
        return text.Append(Invariant($"Task: {Line(instruction)}\n")).ToString();
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static string Line(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).TrimEnd(':');
}
