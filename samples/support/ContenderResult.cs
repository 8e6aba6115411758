using PostTrain.Rewards;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>What became of a method.</summary>
/// <param name="Contender">The method.</param>
/// <param name="Trainable">Numbers that it trained.</param>
/// <param name="Share">Of the model's numbers.</param>
/// <param name="Reports">Its training.</param>
/// <param name="Losses">The loss of each held-out example.</param>
/// <param name="Answers">Its most likely answers to the held-out prompts.</param>
/// <param name="Time">Training alone.</param>
/// <param name="MergeDifference">The largest difference of a log-prob after the merge into the base model; null where nothing can be
/// merged.</param>
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
    /// <summary>The method's name.</summary>
    public string Name => Contender.Name;

    /// <summary>The mean loss of the held-out examples.</summary>
    public Estimate Loss => Estimate.Of(Losses);

    /// <summary>Right answers; meaningful on the toy only.</summary>
    public Proportion Right => Measure.Right(Answers);
}
