using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Rewards;

namespace PostTrain.Search;

/// <summary>See <see cref="SearchMethod.Revision"/>.</summary>
internal sealed class RevisionMethod(IRefiner refiner, IFeedbackSource feedback, SelfRefinementOptions options) : ISearchMethod
{
    public string Name => $"revision ({options.Rounds})";

    public async Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        RefinementTrace? trace = null;
        var (rounds, cancelled) = (0, false);
        try
        {
            await foreach (var round in SelfRefinement.RunAsync([problem], refiner, feedback, options, cancellation).ConfigureAwait(false))
                (trace, rounds) = (round.Traces[0], rounds + 1);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested && trace is not null)
        {
            cancelled = true;
        }

        ScoredSolution[] attempts = [.. trace!.Attempts.Select(attempt => Scored(problem, attempt))];
        return new SearchResult(attempts, trace.Attempts.ToList().LastIndexOf(trace.Current))
        {
            Tokens = trace.Attempts.Sum(attempt => (long)attempt.Completion.Tokens.Length),
            Steps = attempts.Length,
            Scored = attempts.Length,
            Rounds = rounds,
            IsCancelled = cancelled,
        };
    }

    // A feedback without a score has said whether it accepts.
    private static ScoredSolution Scored(Problem problem, Attempt attempt)
    {
        var completion = attempt.Completion;
        var step = new SearchStep(completion.Text, completion.Finished ? StepEnd.Finished : StepEnd.CutOff) { Tokens = completion.Tokens };
        var score =
            double.IsFinite(attempt.Feedback.Score) ? attempt.Feedback.Score
            : attempt.Feedback.Accepted ? 1
            : 0;
        return new ScoredSolution(PartialSolution.Start(problem).Then(step), [score], score);
    }
}
