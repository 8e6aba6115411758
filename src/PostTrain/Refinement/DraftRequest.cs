using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>What a refiner is asked: a first attempt at a problem, or a revision of an earlier one.</summary>
/// <param name="Problem">The problem.</param>
/// <param name="Index">Its number in the run. With <paramref name="Round"/> it says where randomness comes from, so that a text does not
/// depend on who else is still being revised.</param>
/// <param name="Round">0 for a first attempt.</param>
/// <param name="Earlier">The attempt that is revised; null for a first one.</param>
/// <param name="Feedback">What was said of it; null for a first one.</param>
public sealed record DraftRequest(Problem Problem, int Index, int Round, Completion? Earlier = null, Feedback? Feedback = null);
