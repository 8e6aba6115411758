using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>An instruction with worked examples: a line of Self-Instruct's seed tasks, which <see cref="JsonLines"/> reads as they
/// are.</summary>
/// <param name="Instruction">The instruction.</param>
/// <param name="Instances">Examples of it.</param>
/// <param name="IsClassification">Whether the answer is one of few labels.</param>
public sealed record InstructionTask(string Instruction, IReadOnlyList<InstructionInstance> Instances, bool IsClassification = false)
{
    /// <summary>The examples as supervised data.</summary>
    /// <param name="prompt">From instruction and input to the prompt; when null the two and an empty line after each, the input only where
    /// there is one.</param>
    public IEnumerable<Demonstration> Demonstrations(Func<string, string, MarkedText>? prompt = null) =>
        Instances.Select(instance => new Demonstration((prompt ?? Plain)(Instruction, instance.Input), instance.Output));

    private static MarkedText Plain(string instruction, string input) =>
        input.Length == 0 ? $"{instruction}\n\n" : $"{instruction}\n\n{input}\n\n";
}
