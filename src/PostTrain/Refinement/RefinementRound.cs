using PostTrain.Training.Reports;

namespace PostTrain.Refinement;

/// <summary>Where a run of refinement stands after a round.</summary>
/// <param name="Round">0 are the first attempts.</param>
/// <param name="Traces">All problems with all attempts so far; no later round changes them.</param>
/// <param name="Revised">Texts that were written in this round.</param>
/// <param name="Transitions">From the round before to this one, over all problems, also those that are revised no more; null in round 0 and
/// without <see cref="SelfRefinementOptions.Gold"/>.</param>
public sealed record RefinementRound(int Round, IReadOnlyList<RefinementTrace> Traces, int Revised, TransitionTable? Transitions)
{
    /// <summary>Problems whose text is accepted.</summary>
    public int Accepted => Traces.Count(trace => trace.Current.Feedback.Accepted);

    /// <summary>The mean score of the texts that stand, of those that have one; NaN where none has.</summary>
    public double MeanScore =>
        Traces.Select(trace => trace.Current.Feedback.Score).Where(score => !double.IsNaN(score)).DefaultIfEmpty(double.NaN).Average();

    /// <summary>The share of problems whose text is right; null without <see cref="SelfRefinementOptions.Gold"/>.</summary>
    public Proportion? Accuracy =>
        Traces.All(trace => trace.Current.Right is not null)
            ? new Proportion(Traces.Count(trace => trace.Current.Right == true), Traces.Count)
            : null;
}
