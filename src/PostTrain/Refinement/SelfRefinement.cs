using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>Self-refinement: propose, hear feedback, revise, until the feedback accepts or the rounds are over.</summary>
/// <remarks>
/// Madaan et al. 2023, arXiv:2303.17651. y_0 ~ π(x); f_k = feedback(x, y_k); y_{k+1} ~ π(x, y_k, f_k). Two choices make its four kinds:
/// where the feedback comes from, from the model itself (intrinsic: <see cref="SelfRewards"/>) or from a verifier, a tool, another model
/// (external: <see cref="FeedbackSources"/>); and whether the parameters change, for which <see cref="TraceExamples"/> turns what was
/// written into training data. <see cref="RefinementChain"/> says when rounds help; each round reports the four cells that it is about.
/// </remarks>
/// <example><code>
/// var refiner = new ModelRefiner(model, tokenizer);
/// var verifier = FeedbackSources.Verifier(Reward.MathAnswer());
/// await foreach (var round in SelfRefinement.RunAsync(problems, refiner, verifier, new SelfRefinementOptions { Gold = Reward.MathAnswer() }))
///     Console.WriteLine($"{round.Round}: {round.Accuracy}, repaired {round.Transitions?.Repaired}, spoiled {round.Transitions?.Spoiled}");
/// </code></example>
public static class SelfRefinement
{
    /// <summary>Runs round after round over all problems at once; a problem whose text is accepted is left alone.</summary>
    /// <param name="problems">At least one.</param>
    /// <param name="refiner">Writes and revises.</param>
    /// <param name="feedback">Judges what was written.</param>
    /// <param name="options">The defaults when null.</param>
    /// <param name="cancellation">Ends the run, also within a round; the rounds that were yielded stay as they are. A refiner or a feedback
    /// source that does not heed it is left behind on the thread pool, and its result is dropped.</param>
    /// <returns>The first attempts, then a report a round; fewer than <see cref="SelfRefinementOptions.Rounds"/> where nothing is left to
    /// revise.</returns>
    /// <exception cref="ArgumentException">There is no problem, or an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">Refiner, feedback or gold reward gave a wrong number of answers.</exception>
    public static async IAsyncEnumerable<RefinementRound> RunAsync(
        IReadOnlyList<Problem> problems,
        IRefiner refiner,
        IFeedbackSource feedback,
        SelfRefinementOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problems);
        ArgumentNullException.ThrowIfNull(refiner);
        ArgumentNullException.ThrowIfNull(feedback);
        if (problems.Count == 0)
            throw new ArgumentException("problems is empty, expected at least one problem", nameof(problems));
        options ??= new SelfRefinementOptions();
        options.Validate();

        RefinementTrace[] traces = [.. problems.Select(problem => new RefinementTrace(problem, [], IsOpen: true))];
        for (int round = 0; round <= options.Rounds; round++)
        {
            int[] open = [.. Enumerable.Range(0, traces.Length).Where(i => traces[i].IsOpen)];
            if (open.Length == 0)
                yield break;
            var before = traces;
            (traces, int revised) = await NextAsync(before, open, round, refiner, feedback, options, cancellation).ConfigureAwait(false);
            yield return new RefinementRound(
                round,
                traces,
                revised,
                round == 0 || options.Gold is null ? null : TransitionTable.Between(traces, round - 1, round)
            );
        }
    }

    private static async Task<(RefinementTrace[] Traces, int Revised)> NextAsync(
        RefinementTrace[] traces,
        int[] open,
        int round,
        IRefiner refiner,
        IFeedbackSource feedback,
        SelfRefinementOptions options,
        CancellationToken cancellation
    )
    {
        cancellation.ThrowIfCancellationRequested();
        DraftRequest[] requests =
        [
            .. open.Select(i =>
                round == 0
                    ? new DraftRequest(traces[i].Problem, i, 0)
                    : new DraftRequest(traces[i].Problem, i, round, traces[i].Current.Completion, traces[i].Current.Feedback)
            ),
        ];
        var drafts = await Patience
            .UntilAsync(refiner, () => refiner.WriteAsync(requests, cancellation).AsTask(), cancellation)
            .ConfigureAwait(false);
        Check(drafts?.Count, requests.Length, "the refiner", "drafts");
        if (round == 0 && drafts!.Any(draft => draft is null))
            throw new InvalidOperationException("the refiner gave no first attempt at a problem, expected one for each");

        int[] written = [.. Enumerable.Range(0, open.Length).Where(k => drafts![k] is not null)];
        Completion[] texts = [.. written.Select(k => drafts![k]!.Completion)];
        IReadOnlyList<Feedback> said = [];
        double[]? gold = null;
        if (texts.Length > 0)
        {
            said = await Patience
                .UntilAsync(feedback, () => feedback.JudgeAsync(texts, cancellation).AsTask(), cancellation)
                .ConfigureAwait(false);
            Check(said?.Count, texts.Length, "the feedback source", "judgements");
            if (options.Gold is not null)
                gold = (
                    await Scoring.ScoreCheckedAsync(options.Gold, texts, RewardContext.None, cancellation).ConfigureAwait(false)
                ).Values;
        }

        var next = (RefinementTrace[])traces.Clone();
        foreach (int i in open)
            next[i] = next[i] with { IsOpen = false };
        for (int n = 0; n < written.Length; n++)
        {
            int i = open[written[n]];
            bool kept =
                round == 0 || options.Rule == RefinementRule.TakeRevision || IsBetter(said![n].Score, traces[i].Current.Feedback.Score);
            next[i] = traces[i]
                .With(new Attempt(drafts![written[n]]!.Prompt, texts[n], said![n], kept, gold is null ? null : gold[n] > 0.5));
        }
        return (next, texts.Length);
    }

    // What has no score loses to what has one.
    private static bool IsBetter(double revision, double earlier) =>
        revision > earlier || (double.IsNaN(earlier) && !double.IsNaN(revision));

    private static void Check(int? count, int expected, string who, string what)
    {
        if (count != expected)
            throw new InvalidOperationException(
                $"{who} gave {(count is { } given ? $"{given}" : "no")} {what}, expected {expected}, one for each text"
            );
    }
}
