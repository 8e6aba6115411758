namespace PostTrain.Training;

/// <summary>A line of a <see cref="CompletionLog"/>.</summary>
/// <param name="Step">The step of the completion.</param>
/// <param name="Prompt">The prompt.</param>
/// <param name="Completion">The completion, at most <see cref="CompletionLog.MaximumCharacters"/> characters of it.</param>
/// <param name="Reward">Its reward.</param>
/// <param name="Tokens">Its length in tokens.</param>
/// <param name="Finished">True if a stop token ended it.</param>
public sealed record LoggedCompletion(long Step, string Prompt, string Completion, double Reward, int Tokens, bool Finished);
