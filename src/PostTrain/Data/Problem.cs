using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>What a policy is asked.</summary>
/// <param name="Prompt">The text that the policy continues.</param>
/// <param name="Answer">The reference answer that a verifier compares with; null where no verifier needs one.</param>
public sealed record Problem(MarkedText Prompt, string? Answer = null);
