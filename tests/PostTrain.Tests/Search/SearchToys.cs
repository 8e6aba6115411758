using PostTrain.Data;
using PostTrain.Search;

namespace PostTrain.Tests.Search;

/// <summary>Worlds of a few steps whose laws are known.</summary>
internal static class SearchToys
{
    internal static Problem Problem { get; } = new("problem");

    /// <summary>Solutions of some steps, each right (<c>r</c>) with probability q; a verifier is told of each step whether it is right
    /// (<c>+</c>) or not (<c>-</c>), with a share of lies.</summary>
    internal static IStepGenerator Steps(int length, double right, double lies = 0) =>
        StepGenerator.Table(solution =>
        {
            var end = solution.StepCount == length - 1 ? StepEnd.Finished : StepEnd.Open;
            return
            [
                (new SearchStep("r+", end), right * (1 - lies)),
                (new SearchStep("r-", end), right * lies),
                (new SearchStep("w+", end), (1 - right) * lies),
                (new SearchStep("w-", end), (1 - right) * (1 - lies)),
            ];
        });

    internal static bool IsRight(PartialSolution solution) => !solution.Text.Contains('w', StringComparison.Ordinal);

    /// <summary>What a verifier of steps makes of it: P(right | what it was told) of each step.</summary>
    internal static ISolutionValue Verifier(double right, double lies) =>
        SolutionValue.Of(
            (solutions, _) =>
                ValueTask.FromResult<IReadOnlyList<double[]>>([
                    .. solutions.Select(solution =>
                        solution
                            .Text.Chunk(2)
                            .Select(step =>
                                step[1] == '+'
                                    ? right * (1 - lies) / (right * (1 - lies) + (1 - right) * lies)
                                    : right * lies / (right * lies + (1 - right) * (1 - lies))
                            )
                            .ToArray()
                    ),
                ])
        );

    /// <summary>The share of some runs in which something holds, and four standard errors of it.</summary>
    internal static async Task<(double Share, double Margin)> ShareAsync(ISearchMethod method, int runs, Func<SearchResult, bool> holds)
    {
        var count = 0;
        for (var run = 0; run < runs; run++)
            count += holds(await method.RunAsync(Problem, (ulong)run)) ? 1 : 0;
        var share = (double)count / runs;
        return (share, 4 * Math.Sqrt(Math.Max(share * (1 - share), 1.0 / runs) / runs));
    }
}
