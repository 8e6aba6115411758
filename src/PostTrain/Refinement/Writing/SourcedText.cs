namespace PostTrain.Refinement.Writing;

/// <summary>A completion from a text source.</summary>
/// <param name="Text">The text without the prompt and without the stop string that ended it.</param>
/// <param name="Finished">True if it ended by itself, false if it reached the token limit.</param>
public readonly record struct SourcedText(string Text, bool Finished = true);
