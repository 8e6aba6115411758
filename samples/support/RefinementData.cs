using PostTrain.Data;

namespace PostTrain.Samples.Support;

/// <summary>The questions of a comparison.</summary>
/// <param name="Demonstrations">Questions to train on, with one way to the answer.</param>
/// <param name="Problems">The same questions with what the reward compares with.</param>
/// <param name="HeldOut">Questions that training never sees.</param>
public sealed record RefinementData(
    IReadOnlyList<Demonstration> Demonstrations,
    IReadOnlyList<Problem> Problems,
    IReadOnlyList<Problem> HeldOut
);
