using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>A request to a refiner: a first attempt at a problem, or a revision of an earlier one.</summary>
/// <param name="Problem">The problem.</param>
/// <param name="Index">Index of the problem in the run. With <paramref name="Round"/> it determines the randomness, so that a text does not
/// depend on which other problems are still open.</param>
/// <param name="Round">0 for a first attempt.</param>
/// <param name="Earlier">The attempt to revise; null for a first attempt.</param>
/// <param name="Feedback">The feedback on it; null for a first attempt.</param>
public sealed record DraftRequest(Problem Problem, int Index, int Round, Completion? Earlier = null, Feedback? Feedback = null);
