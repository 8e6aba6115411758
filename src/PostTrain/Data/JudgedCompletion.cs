using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>One completion of a prompt with a judge's thumb up or down, without a partner to compare with.</summary>
/// <param name="Prompt">The text that is continued.</param>
/// <param name="Completion">The continuation.</param>
/// <param name="Desirable">The verdict.</param>
public sealed record JudgedCompletion(MarkedText Prompt, MarkedText Completion, bool Desirable);
