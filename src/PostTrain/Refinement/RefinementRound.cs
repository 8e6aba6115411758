using PostTrain.Training.Reports;

namespace PostTrain.Refinement;

/// <summary>The state of a run of refinement after a round.</summary>
/// <param name="Round">Number of the round; 0 for the first attempts.</param>
/// <param name="Traces">All problems with all attempts so far; later rounds do not change them.</param>
/// <param name="Revised">Number of texts written in this round.</param>
/// <param name="Transitions">Transitions from the previous round to this one, over all problems, closed ones included; null in round 0 and
/// without <see cref="SelfRefinementOptions.Gold"/>.</param>
public sealed record RefinementRound(int Round, IReadOnlyList<RefinementTrace> Traces, int Revised, TransitionTable? Transitions)
{
    /// <summary>Number of problems whose text is accepted.</summary>
    public int Accepted => Traces.Count(trace => trace.Current.Feedback.Accepted);

    /// <summary>Mean score of the current texts that have a score; NaN if none has.</summary>
    public double MeanScore =>
        Traces.Select(trace => trace.Current.Feedback.Score).Where(score => !double.IsNaN(score)).DefaultIfEmpty(double.NaN).Average();

    /// <summary>Share of problems whose text is correct; null without <see cref="SelfRefinementOptions.Gold"/>.</summary>
    public Proportion? Accuracy =>
        Traces.All(trace => trace.Current.Right is not null)
            ? new Proportion(Traces.Count(trace => trace.Current.Right == true), Traces.Count)
            : null;
}
