using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>An attempt in a run of refinement.</summary>
/// <param name="Prompt">The prompt of the text.</param>
/// <param name="Completion">The text, as a completion of the problem.</param>
/// <param name="Feedback">The feedback on it.</param>
/// <param name="Kept">True if it replaced the previous attempt; always true for a first attempt.</param>
/// <param name="Right">True if it is correct according to <see cref="SelfRefinementOptions.Gold"/>; null without one.</param>
public sealed record Attempt(MarkedText Prompt, Completion Completion, Feedback Feedback, bool Kept, bool? Right);
