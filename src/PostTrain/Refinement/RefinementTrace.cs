using PostTrain.Data;
using PostTrain.Numerics;

namespace PostTrain.Refinement;

/// <summary>All that was written to one problem.</summary>
/// <param name="Problem">The problem.</param>
/// <param name="Attempts">Attempt k is that of round k; none follows where the problem is closed.</param>
/// <param name="IsOpen">Whether it is to be revised further: no attempt was accepted, and its revision can be asked for.</param>
public sealed record RefinementTrace(Problem Problem, IReadOnlyList<Attempt> Attempts, bool IsOpen)
{
    /// <summary>The attempt that stands: the last that was kept.</summary>
    public Attempt Current => At(Attempts.Count - 1);

    /// <summary>The attempt that stood after a round; rounds after the last attempt changed nothing.</summary>
    /// <param name="round">At least 0.</param>
    public Attempt At(int round)
    {
        Guard.AtLeast(round, 0, nameof(round));
        return Attempts.Take(round + 1).Last(attempt => attempt.Kept);
    }

    internal RefinementTrace With(Attempt attempt) =>
        this with
        {
            Attempts = [.. Attempts, attempt],
            IsOpen = !(attempt.Kept && attempt.Feedback.Accepted),
        };
}
