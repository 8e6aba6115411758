namespace PostTrain.Data;

/// <summary>A prompt and two completions of it as tokens.</summary>
/// <param name="Prompt">The tokens that both begin with.</param>
/// <param name="Chosen">The completion that was preferred.</param>
/// <param name="Rejected">The other completion.</param>
public sealed record PreferenceTokens(int[] Prompt, int[] Chosen, int[] Rejected);
