using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>A text that a refiner wrote.</summary>
/// <param name="Prompt">What it was written to: the problem's prompt, or one that holds the earlier attempt and its feedback too.</param>
/// <param name="Completion">The text, as a completion of the problem.</param>
public sealed record Draft(MarkedText Prompt, Completion Completion);
