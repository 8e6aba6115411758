namespace PostTrain.Data;

/// <summary>One worked example of an instruction.</summary>
/// <param name="Input">What the instruction is about; empty where it needs nothing.</param>
/// <param name="Output">The right answer.</param>
public sealed record InstructionInstance(string Input, string Output);
