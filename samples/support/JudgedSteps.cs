namespace PostTrain.Samples.Support;

/// <summary>The steps of one solution: what a process reward model says of each, and whether it is right.</summary>
/// <param name="Scores">A probability a step.</param>
/// <param name="Right">The labels.</param>
public sealed record JudgedSteps(IReadOnlyList<double> Scores, IReadOnlyList<bool> Right)
{
    /// <summary>The chance that a right step scores above a wrong one, a tie counted as half: the area under the curve of hits against
    /// false alarms; 0.5 is chance. NaN without both kinds.</summary>
    public static double Area(IReadOnlyList<JudgedSteps> solutions)
    {
        var (right, wrong) = (Sorted(solutions, right: true), Sorted(solutions, right: false));
        if (right.Length == 0 || wrong.Length == 0)
            return double.NaN;
        double above = 0;
        int below = 0,
            notAbove = 0;
        foreach (double score in right)
        {
            while (below < wrong.Length && wrong[below] < score)
                below++;
            while (notAbove < wrong.Length && wrong[notAbove] <= score)
                notAbove++;
            above += below + 0.5 * (notAbove - below);
        }
        return above / ((double)right.Length * wrong.Length);
    }

    /// <summary>The mean of two shares: of right steps that are taken for right, and of wrong steps that are taken for wrong; 0.5 is
    /// chance, and what a constant answer gets. NaN without both kinds.</summary>
    public static double BalancedAccuracy(IReadOnlyList<JudgedSteps> solutions)
    {
        var (right, wrong) = (Sorted(solutions, right: true), Sorted(solutions, right: false));
        return right.Length == 0 || wrong.Length == 0
            ? double.NaN
            : (right.Count(score => score > 0.5) / (double)right.Length + wrong.Count(score => score <= 0.5) / (double)wrong.Length) / 2;
    }

    private static double[] Sorted(IReadOnlyList<JudgedSteps> solutions, bool right) =>
        [
            .. solutions
                .SelectMany(solution => solution.Scores.Zip(solution.Right))
                .Where(step => step.Second == right && !double.IsNaN(step.First))
                .Select(step => step.First)
                .Order(),
        ];
}
