namespace PostTrain.Samples.Support;

/// <summary>The steps of one solution with the scores of a process reward model and the correct labels.</summary>
/// <param name="Scores">One probability per step.</param>
/// <param name="Right">The labels.</param>
public sealed record JudgedSteps(IReadOnlyList<double> Scores, IReadOnlyList<bool> Right)
{
    /// <summary>Computes the probability that a correct step scores above a wrong one, a tie counted as half: the area under the ROC curve;
    /// 0.5 is chance. NaN without both kinds.</summary>
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

    /// <summary>Computes the balanced accuracy: the mean of the shares of correct and of wrong steps that are recognised; 0.5 is chance.
    /// NaN without both kinds.</summary>
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
