namespace PostTrain.Data;

/// <summary>One worked example of an instruction.</summary>
/// <param name="Input">The input of the instruction; empty if it needs none.</param>
/// <param name="Output">The right answer.</param>
public sealed record InstructionInstance(string Input, string Output);
