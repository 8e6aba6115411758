namespace PostTrain.Refinement.Writing;

/// <summary>A completion from a text source.</summary>
/// <param name="Text">Without the prompt and without the stop string that ended it.</param>
/// <param name="Finished">Whether it ended by itself, and not at the most tokens.</param>
public readonly record struct SourcedText(string Text, bool Finished = true);
