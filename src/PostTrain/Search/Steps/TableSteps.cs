using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Steps from a table of probabilities.</summary>
internal sealed class TableSteps(Func<PartialSolution, IReadOnlyList<(SearchStep Step, double Probability)>> choices, bool lists)
    : IStepGenerator
{
    private const int LongestSolution = 10_000;
    private const double Rounding = 1e-9;

    public ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(IReadOnlyList<StepRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        cancellation.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IReadOnlyList<SearchStep>>([
            .. requests.Select(request => request.ToEnd ? Rest(request, cancellation) : Next(request.Solution, request, 0)),
        ]);
    }

    private SearchStep Rest(StepRequest request, CancellationToken cancellation)
    {
        var at = request.Solution;
        double logProb = 0;
        for (var k = 0; k < LongestSolution; k++)
        {
            cancellation.ThrowIfCancellationRequested();
            var step = Next(at, request, k);
            logProb += step.LogProb ?? 0;
            at = at.Then(step);
            if (!at.IsComplete)
                continue;
            return new SearchStep(at.Text[request.Solution.Text.Length..], step.End == StepEnd.Open ? StepEnd.Finished : step.End)
            {
                Tokens = [.. at.Steps.Skip(request.Solution.StepCount).SelectMany(one => one.Tokens)],
                LogProb = logProb,
            };
        }

        throw new InvalidOperationException(
            $"the table goes on after {LongestSolution} steps behind '{Shown(request.Solution)}', expected one that ends"
        );
    }

    private SearchStep Next(PartialSolution solution, StepRequest request, int k)
    {
        var list = choices(solution);
        if (list is null || list.Count == 0)
            throw new InvalidOperationException($"the table has no step behind '{Shown(solution)}', expected at least one");
        if (list.Any(choice => !(choice.Probability >= 0)) || Math.Abs(list.Sum(choice => choice.Probability) - 1) > Rounding)
            throw new InvalidOperationException(
                FormattableString.Invariant(
                    $"the table's probabilities behind '{Shown(solution)}' sum to {list.Sum(choice => choice.Probability):R}, "
                ) + "expected 1 and none below 0"
            );
        var (step, probability) = list[Index(list, request, k)];
        return step with { LogProb = step.LogProb ?? Math.Log(probability) };
    }

    private int Index(IReadOnlyList<(SearchStep Step, double Probability)> list, StepRequest request, int k)
    {
        if (request.Greedy)
        {
            var most = list.Max(choice => choice.Probability);
            return Enumerable.Range(0, list.Count).First(i => list[i].Probability == most);
        }

        if (lists && k == 0)
            return request.Draw % list.Count;
        var left = CounterRandom.Uniform(request.Seed, (ulong)k);
        for (var i = 0; i < list.Count; i++)
        {
            left -= list[i].Probability;
            if (left < 0)
                return i;
        }

        return Enumerable.Range(0, list.Count).Last(i => list[i].Probability > 0);
    }

    private static string Shown(PartialSolution solution) => solution.Text.Length <= 80 ? solution.Text : solution.Text[..80] + "…";
}
