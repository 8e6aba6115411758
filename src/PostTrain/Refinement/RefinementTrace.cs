using PostTrain.Data;
using PostTrain.Numerics;

namespace PostTrain.Refinement;

/// <summary>All attempts at one problem.</summary>
/// <param name="Problem">The problem.</param>
/// <param name="Attempts">The attempts; attempt k is that of round k, up to the round in which the problem was closed.</param>
/// <param name="IsOpen">True if it can be revised further: no attempt was accepted, and a revision is possible.</param>
public sealed record RefinementTrace(Problem Problem, IReadOnlyList<Attempt> Attempts, bool IsOpen)
{
    /// <summary>The current attempt: the last one that was kept.</summary>
    public Attempt Current => At(Attempts.Count - 1);

    /// <summary>Returns the current attempt after a round; rounds after the last attempt change nothing.</summary>
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
