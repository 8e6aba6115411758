using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>One supervised example.</summary>
/// <param name="Prompt">The text that is given; no loss falls on it.</param>
/// <param name="Completion">The text that is to be learnt; the loss falls on it.</param>
public sealed record Demonstration(MarkedText Prompt, MarkedText Completion);
