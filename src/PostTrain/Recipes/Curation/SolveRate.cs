using PostTrain.Data;
using PostTrain.Training.Reports;

namespace PostTrain.Recipes;

/// <summary>Share of a policy's completions that solve a problem.</summary>
/// <param name="Problem">The problem.</param>
/// <param name="Rate">Rewarded completions of those drawn, with its binomial interval.</param>
public sealed record SolveRate(Problem Problem, Proportion Rate)
{
    /// <summary>The problem with the field <c>solve_rate</c>, as in Big-Math.</summary>
    public Problem Annotated =>
        Problem with
        {
            Fields = ProblemFields.Of([
                .. Problem.Fields.Values.Where(item => item.Key != "solve_rate").Select(item => (item.Key, (object?)item.Value)),
                ("solve_rate", Rate.Value),
            ]),
        };
}
