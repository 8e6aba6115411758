using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>A text of a run of refinement.</summary>
/// <param name="Prompt">What it was written to.</param>
/// <param name="Completion">The text, as a completion of the problem.</param>
/// <param name="Feedback">What was said of it.</param>
/// <param name="Kept">Whether it took the place of the attempt before; a first attempt always does.</param>
/// <param name="Right">Whether it is right by <see cref="SelfRefinementOptions.Gold"/>; null without one.</param>
public sealed record Attempt(MarkedText Prompt, Completion Completion, Feedback Feedback, bool Kept, bool? Right);
