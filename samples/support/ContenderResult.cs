using PostTrain.Rewards;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>The result of a method in a comparison.</summary>
/// <param name="Contender">The method.</param>
/// <param name="Trainable">Number of trained parameters.</param>
/// <param name="Share">Their share of the model's parameters.</param>
/// <param name="Reports">The reports of its training.</param>
/// <param name="Losses">The loss of each held-out example.</param>
/// <param name="Answers">Its most likely answers to the held-out prompts.</param>
/// <param name="Time">Training time.</param>
/// <param name="MergeDifference">Largest difference of a log-prob after merging into the base model; null if nothing can be merged.</param>
public sealed record ContenderResult(
    Contender Contender,
    long Trainable,
    double Share,
    IReadOnlyList<StepReport> Reports,
    double[] Losses,
    IReadOnlyList<Completion> Answers,
    TimeSpan Time,
    double? MergeDifference
)
{
    /// <summary>Whether an answer is correct.</summary>
    public required Func<Completion, bool> IsRight { get; init; }

    /// <summary>The method's name.</summary>
    public string Name => Contender.Name;

    /// <summary>The mean loss of the held-out examples.</summary>
    public Estimate Loss => Estimate.Of(Losses);

    /// <summary>Correct answers; meaningful for the samples' own model only.</summary>
    public Proportion Right => new(Answers.Count(IsRight), Answers.Count);
}
