using PostTrain.Exact;
using PostTrain.Rewards;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>A training of a <see cref="RefinementResult"/>.</summary>
/// <param name="Name">As in tables.</param>
/// <param name="Reports">Its steps.</param>
/// <param name="Time">Of training, and of drawing what it is trained on.</param>
/// <param name="Accuracy">On held-out questions.</param>
/// <param name="Answers">The likeliest answers to held-out questions.</param>
/// <param name="Right">Those of them that are right.</param>
public sealed record RefinementStage(
    string Name,
    IReadOnlyList<StepReport> Reports,
    TimeSpan Time,
    StrategyAccuracy Accuracy,
    IReadOnlyList<Completion> Answers,
    IReadOnlySet<Completion> Right
);
