using PostTrain.Data;
using PostTrain.Refinement.Restarts;

namespace PostTrain.Refinement;

/// <summary>What a run of refinement teaches: training data for the two fine-tuned kinds of self-refinement.</summary>
/// <remarks>Texts that the limit on length cut off are not taught. Equal examples are kept once.</remarks>
public static class TraceExamples
{
    /// <summary>Revision prompt → the text that bettered: teaches to revise.</summary>
    /// <remarks>Every attempt that is better than the one it revised, kept or not. Supervised fine-tuning on them raises a; it shows no
    /// right text that is to be left alone, so that it can raise b too: mix in <see cref="Confirmations"/>.</remarks>
    /// <param name="traces">Of any run.</param>
    /// <param name="isBetter">Of the later and the earlier attempt; by default, a higher score.</param>
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

    /// <summary>Revision prompt of a right text → the same text: teaches to leave alone what is right, and lowers b.</summary>
    /// <param name="traces">Of any run.</param>
    /// <param name="template">The refiner's.</param>
    /// <param name="isRight">Of the text that stands; by default, that it was accepted.</param>
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

    /// <summary>The problem's prompt → the right text: teaches to be right at once.</summary>
    /// <remarks>STaR (Zelikman et al. 2022, arXiv:2203.14465): what was right only after feedback is taught as if there had been none, as
    /// its rationalisations are.</remarks>
    /// <param name="traces">Of any run.</param>
    /// <param name="isRight">Of the text that stands; by default, that it was accepted.</param>
    public static IReadOnlyList<Demonstration> Answers(IReadOnlyList<RefinementTrace> traces, Func<Attempt, bool>? isRight = null) =>
        [.. Right(traces, isRight).Select(trace => new Demonstration(trace.Problem.Prompt, trace.Current.Completion.Text)).Distinct()];

    /// <summary>Repaired ≻ original: the text that stands at the end is preferred to the first attempt, for DPO and its family.</summary>
    /// <param name="traces">Of any run.</param>
    /// <param name="isBetter">Of the last and the first attempt; by default, a higher score.</param>
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

    /// <summary>Every revision as a problem of reinforcement learning, with the score of the text that is revised: what SCoRe's second
    /// attempt is trained on.</summary>
    /// <remarks>For <see cref="RestartRewards.WithProgress"/> the feedback must score by the reward that trains, and should accept nothing
    /// (<see cref="FeedbackSources.Score"/>), so that right texts are revised too.</remarks>
    /// <param name="traces">Of any run.</param>
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
