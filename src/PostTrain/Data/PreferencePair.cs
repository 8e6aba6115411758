namespace PostTrain.Data;

/// <summary>Two completions of one prompt, of which a judge preferred the first.</summary>
/// <param name="Prompt">The text that both continue.</param>
/// <param name="Chosen">The completion that was preferred.</param>
/// <param name="Rejected">The other completion.</param>
public sealed record PreferencePair(string Prompt, string Chosen, string Rejected);
