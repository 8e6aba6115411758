using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Search;

/// <summary>What all searches share: asking generator and value, checking what they give, and counting what they cost.</summary>
internal sealed class SearchRun(IStepGenerator generator, ISolutionValue? value, ScoreAggregation aggregation, ulong seed)
{
    private long tokens;
    private long steps;
    private long scored;
    private int rounds;

    /// <summary>Steps that were generated.</summary>
    public long Steps => steps;

    /// <summary>Each solution with a step more. The seed of a branch is a function of the search's seed, the round and its place.</summary>
    /// <param name="solutions">May be empty: nothing is asked.</param>
    /// <param name="toEnd">Whether the step is the rest of the solution.</param>
    /// <param name="greedy">Whether the likeliest steps are asked for.</param>
    /// <param name="cancellation">Ends the round.</param>
    /// <param name="draws">Of each, the number of the draw; 0 where null.</param>
    public async Task<PartialSolution[]> ExtendAsync(
        IReadOnlyList<PartialSolution> solutions,
        bool toEnd,
        bool greedy,
        CancellationToken cancellation,
        IReadOnlyList<int>? draws = null
    )
    {
        cancellation.ThrowIfCancellationRequested();
        if (solutions.Count == 0)
            return [];
        var round = (ulong)rounds++;
        StepRequest[] requests =
        [
            .. solutions.Select(
                (solution, i) =>
                    new StepRequest(solution, CounterRandom.Bits(seed, round, (ulong)i))
                    {
                        ToEnd = toEnd,
                        Greedy = greedy,
                        Draw = draws is null ? 0 : draws[i],
                    }
            ),
        ];
        // A model heeds the token before every token of text; what a user wrote may not, and is left behind.
        var given =
            generator is SamplerSteps
                ? await generator.ContinueAsync(requests, cancellation).ConfigureAwait(false)
                : await Patience
                    .UntilAsync(() => generator.ContinueAsync(requests, cancellation).AsTask(), cancellation)
                    .ConfigureAwait(false);
        if (given is null || given.Count != requests.Length)
            throw new InvalidOperationException(
                $"the step generator gave {given?.Count ?? 0} steps, expected {requests.Length}, one for each request"
            );
        var next = new PartialSolution[requests.Length];
        for (var i = 0; i < next.Length; i++)
        {
            if (given[i]?.Text is null)
                throw new InvalidOperationException($"the step generator gave no step for request {i}, expected one");
            next[i] = solutions[i].Then(given[i]);
            if (toEnd && !next[i].IsComplete)
                throw new InvalidOperationException(
                    $"the step generator gave a step that goes on for request {i}, expected the rest of the solution: ToEnd was asked for"
                );
            tokens += given[i].Tokens.Length;
        }

        steps += next.Length;
        return next;
    }

    /// <summary>The solutions with their scores; without a value, 0.</summary>
    public async Task<ScoredSolution[]> ScoreAsync(IReadOnlyList<PartialSolution> solutions, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (value is null || solutions.Count == 0)
            return [.. solutions.Select(solution => new ScoredSolution(solution, [], 0))];
        var given = await Patience.UntilAsync(() => value.ScoreAsync(solutions, cancellation).AsTask(), cancellation).ConfigureAwait(false);
        if (given is null || given.Count != solutions.Count)
            throw new InvalidOperationException(
                $"the value gave {given?.Count ?? 0} lists of scores, expected {solutions.Count}, one for each solution"
            );
        scored += solutions.Count;
        return [.. solutions.Select((solution, i) => Scored(solution, given[i], i))];
    }

    /// <summary>The result so far.</summary>
    public SearchResult Result(IReadOnlyList<ScoredSolution> solutions, SolutionChoice choice, bool cancelled = false) =>
        new(solutions, choice.Choose(solutions))
        {
            Tokens = tokens,
            Steps = steps,
            Scored = scored,
            Rounds = rounds,
            IsCancelled = cancelled,
        };

    private ScoredSolution Scored(PartialSolution solution, double[]? scores, int index)
    {
        if (scores is null || scores.Length == 0)
            throw new InvalidOperationException($"the value gave no score for solution {index}, expected at least one");
        foreach (var score in scores)
        {
            if (!double.IsFinite(score))
                throw new InvalidOperationException(
                    FormattableString.Invariant($"the value gave {score} for solution {index}, expected finite scores")
                );
        }

        var aggregate = aggregation.Aggregate(scores);
        return double.IsFinite(aggregate)
            ? new ScoredSolution(solution, scores, aggregate)
            : throw new InvalidOperationException(
                FormattableString.Invariant($"aggregation '{aggregation}' gave {aggregate} for solution {index}, expected a finite score")
            );
    }
}
