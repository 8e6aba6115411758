using PostTrain.Data;
using PostTrain.Refinement.Restarts;

namespace PostTrain.Refinement;

/// <summary>Training data from runs of refinement, for the two fine-tuned kinds of self-refinement.</summary>
/// <remarks>Texts truncated by the length limit are not used. Equal examples are kept once.</remarks>
public static class TraceExamples
{
    /// <summary>Returns training examples for revising: revision prompt → improved text.</summary>
    /// <remarks>Includes every attempt that is better than the one it revised, kept or not. Supervised fine-tuning on them raises a. They
    /// contain no correct text that is left unchanged, so b may rise too: mix in <see cref="Confirmations"/>.</remarks>
    /// <param name="traces">Traces of any run.</param>
    /// <param name="isBetter">Compares the later with the earlier attempt; by default, a higher score.</param>
    public static IReadOnlyList<Demonstration> Corrections(
        IReadOnlyList<RefinementTrace> traces,
        Func<Attempt, Attempt, bool>? isBetter = null
    ) =>
        [
            .. Revised(traces)
                .Where(pair => pair.Later.Completion.Finished && (isBetter ?? HigherScore)(pair.Later, pair.Earlier))
                .Select(pair => new Demonstration(pair.Later.Prompt, pair.Later.Completion.Text))
                .Distinct(),
        ];

    /// <summary>Returns training examples for leaving correct texts unchanged, which lowers b: revision prompt of a correct text → the same
    /// text.</summary>
    /// <param name="traces">Traces of any run.</param>
    /// <param name="template">The refiner's template.</param>
    /// <param name="isRight">Returns true if the current text is correct; by default, if it was accepted.</param>
    public static IReadOnlyList<Demonstration> Confirmations(
        IReadOnlyList<RefinementTrace> traces,
        RevisionTemplate template,
        Func<Attempt, bool>? isRight = null
    )
    {
        ArgumentNullException.ThrowIfNull(template);
        return
        [
            .. Right(traces, isRight)
                .Select(trace => new Demonstration(
                    template.Apply(trace.Problem, trace.Current.Completion, trace.Current.Feedback),
                    trace.Current.Completion.Text
                ))
                .Distinct(),
        ];
    }

    /// <summary>Returns training examples for correct first answers: the problem's prompt → the correct text.</summary>
    /// <remarks>STaR (Zelikman et al. 2022, arXiv:2203.14465): a text that was correct only after feedback is used as if there had been
    /// none, like STaR's rationalisations.</remarks>
    /// <param name="traces">Traces of any run.</param>
    /// <param name="isRight">Returns true if the current text is correct; by default, if it was accepted.</param>
    public static IReadOnlyList<Demonstration> Answers(IReadOnlyList<RefinementTrace> traces, Func<Attempt, bool>? isRight = null) =>
        [.. Right(traces, isRight).Select(trace => new Demonstration(trace.Problem.Prompt, trace.Current.Completion.Text)).Distinct()];

    /// <summary>Returns preference pairs for DPO and its family: the final text is preferred to the first attempt.</summary>
    /// <param name="traces">Traces of any run.</param>
    /// <param name="isBetter">Compares the last with the first attempt; by default, a higher score.</param>
    public static IReadOnlyList<PreferencePair> Repairs(
        IReadOnlyList<RefinementTrace> traces,
        Func<Attempt, Attempt, bool>? isBetter = null
    )
    {
        ArgumentNullException.ThrowIfNull(traces);
        return
        [
            .. traces
                .Where(trace => trace.Current.Completion.Finished && (isBetter ?? HigherScore)(trace.Current, trace.Attempts[0]))
                .Select(trace => new PreferencePair(trace.Problem.Prompt, trace.Current.Completion.Text, trace.Attempts[0].Completion.Text))
                .Distinct(),
        ];
    }

    /// <summary>Returns every revision as a problem for reinforcement learning, with the score of the revised text: the training data of
    /// SCoRe's second attempt.</summary>
    /// <remarks>For <see cref="RestartRewards.WithProgress"/> the feedback must score with the training reward, and should accept nothing
    /// (<see cref="FeedbackSources.Score"/>), so that correct texts are revised too.</remarks>
    /// <param name="traces">Traces of any run.</param>
    public static IReadOnlyList<Restart> Revisions(IReadOnlyList<RefinementTrace> traces) =>
        [
            .. Revised(traces)
                .Select(pair => new Restart(
                    pair.Problem with
                    {
                        Prompt = pair.Later.Prompt,
                    },
                    pair.Problem,
                    "",
                    pair.Earlier.Feedback.Score
                )),
        ];

    private static bool HigherScore(Attempt later, Attempt earlier) => later.Feedback.Score > earlier.Feedback.Score;

    private static IEnumerable<(Problem Problem, Attempt Earlier, Attempt Later)> Revised(IReadOnlyList<RefinementTrace> traces)
    {
        ArgumentNullException.ThrowIfNull(traces);
        return traces.SelectMany(trace =>
            Enumerable
                .Range(1, Math.Max(0, trace.Attempts.Count - 1))
                .Select(round => (trace.Problem, trace.At(round - 1), trace.Attempts[round]))
        );
    }

    private static IEnumerable<RefinementTrace> Right(IReadOnlyList<RefinementTrace> traces, Func<Attempt, bool>? isRight)
    {
        ArgumentNullException.ThrowIfNull(traces);
        return traces.Where(trace =>
            trace.Current.Completion.Finished && (isRight ?? (attempt => attempt.Feedback.Accepted))(trace.Current)
        );
    }
}
