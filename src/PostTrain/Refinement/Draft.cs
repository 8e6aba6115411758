using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>A text written by a refiner.</summary>
/// <param name="Prompt">Its prompt: the problem's, or one with the earlier attempt and its feedback.</param>
/// <param name="Completion">The text, as a completion of the problem.</param>
public sealed record Draft(MarkedText Prompt, Completion Completion);
