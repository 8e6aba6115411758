using System.Text.RegularExpressions;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards.Steps;

/// <summary>Makes step rewards, and whole-completion rewards of them.</summary>
public static class StepReward
{
    private static readonly Regex Equations = new(
        @"(?<left>[0-9(][0-9 .,+\-*/×÷()−]*)=\s*(?<right>-?[0-9][0-9.,/]*)",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking
    );

    /// <summary>A process reward model, or any function of all steps: p_k, one score a step.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">For each completion one score a step, NaN where it is not applicable; counts are checked.</param>
    public static IStepReward OfAll(
        string name,
        Func<IReadOnlyList<SteppedCompletion>, RewardContext, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score
    )
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionStepReward(name, score);
    }

    /// <summary>A rule for single steps: r_k = 1[step k is valid].</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="isValid">Of the completion and a step's index: true, false, or null where the rule does not apply.</param>
    public static IStepReward Rule(string name, Func<SteppedCompletion, int, bool?> isValid)
    {
        ArgumentNullException.ThrowIfNull(isValid);
        return OfAll(
            name,
            (completions, _, _) =>
                ValueTask.FromResult<IReadOnlyList<double[]>>([
                    .. completions.Select(completion =>
                        completion
                            .Steps.Select(
                                (_, k) =>
                                    isValid(completion, k) switch
                                    {
                                        true => 1.0,
                                        false => 0.0,
                                        _ => double.NaN,
                                    }
                            )
                            .ToArray()
                    ),
                ])
        );
    }

    /// <summary>The rule that every calculation of a step is right: 1 where all of <c>48/2 = 24</c>, <c>3 × 4 = 12</c> hold, 0 where one
    /// does not, not applicable without one.</summary>
    /// <remarks>Read by the parser of <see cref="AnswerEquivalence"/>, nothing is evaluated by a language. Says nothing of why the
    /// calculation was made: a chain of true but needless equations scores 1.</remarks>
    public static IStepReward Arithmetic() =>
        Rule(
            "arithmetic",
            (completion, k) =>
            {
                var text = completion.Steps[k].Text;
                bool? valid = null;
                foreach (var equation in Equations.EnumerateMatches(text))
                {
                    var parts = text.AsSpan(equation.Index, equation.Length).ToString().Split('=');
                    valid = valid is not false && AnswerEquivalence.AreEquivalent(parts[0].Trim(), parts[1].Trim().TrimEnd('.', ','));
                }

                return valid;
            }
        );

    /// <summary>Monte-Carlo values: the share of N completions from the end of step k that the outcome reward calls right (Math-Shepherd,
    /// arXiv:2312.08935, eq. 3-4).</summary>
    /// <remarks>Soft: unbiased for the value V(s_k) of the policy that rolls out. Hard: 1 where any is right; its mean 1 − (1 − V)^N grows
    /// with N. Costs N completions a step.</remarks>
    /// <param name="rollouts">Completions of the problem that begin with this text; as many as asked for.</param>
    /// <param name="outcome">Judges whole completions; above ½ is right.</param>
    /// <param name="count">N, at least 1.</param>
    /// <param name="hard">Whether one right completion is enough. Default false.</param>
    public static IStepReward MonteCarlo(
        Func<Data.Problem, string, int, CancellationToken, ValueTask<IReadOnlyList<Completion>>> rollouts,
        IReward outcome,
        int count,
        bool hard = false
    )
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        ArgumentNullException.ThrowIfNull(outcome);
        Guard.AtLeast(count, 1, nameof(count));
        return OfAll(
            "monte_carlo",
            async (completions, context, cancellation) =>
            {
                var values = new List<double[]>();
                foreach (var completion in completions)
                {
                    var scores = new double[completion.Steps.Count];
                    for (var k = 0; k < scores.Length; k++)
                    {
                        var drawn = await rollouts(completion.Completion.Problem, completion.Prefix(k), count, cancellation)
                            .ConfigureAwait(false);
                        if (drawn.Count != count)
                            throw new InvalidOperationException($"rollouts gave {drawn.Count} completions, expected {count}");
                        var judged = await Scoring.ScoreCheckedAsync(outcome, drawn, context, cancellation).ConfigureAwait(false);
                        var right = judged.Values.Count(value => value > 0.5);
                        scores[k] = hard ? Math.Min(1, right) : right / (double)count;
                    }

                    values.Add(scores);
                }

                return values;
            }
        );
    }

    /// <summary>A completion's reward from its steps' scores: product, logarithm of the product, minimum, last or mean
    /// (<see cref="StepScores"/>).</summary>
    /// <remarks>Steps that are not applicable are left out; a completion without a scored step is not applicable itself. Scores must be
    /// probabilities, 0 to 1. Product and sum of logarithms punish long solutions, the mean pays for padding with easy steps, the last
    /// looks at the end only.</remarks>
    /// <param name="steps">Scores steps.</param>
    /// <param name="aggregation">How. Not <see cref="StepAggregation.LogSum"/> where a score may be 0: the reward would be infinite, which
    /// is refused.</param>
    /// <param name="separator">Between steps; a line end by default.</param>
    public static IReward Aggregated(IStepReward steps, StepAggregation aggregation, string separator = "\n")
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentException.ThrowIfNullOrEmpty(separator);
        return Reward.OfAll(
            steps.Name,
            async (completions, context, cancellation) =>
            {
                var scores = await steps
                    .ScoreStepsAsync(
                        [.. completions.Select(completion => SteppedCompletion.Of(completion, separator))],
                        context,
                        cancellation
                    )
                    .ConfigureAwait(false);
                return [.. scores.Select(values => Aggregate([.. values.Where(value => !double.IsNaN(value))], aggregation))];
            }
        );
    }

    private static double Aggregate(double[] values, StepAggregation aggregation)
    {
        if (values.Length == 0)
            return double.NaN;
        using var scope = NewDisposeScope();
        var row = tensor(values).unsqueeze(0);
        return StepScores.Aggregate(row, ones_like(row, dtype: ScalarType.Bool), aggregation).ToDouble();
    }
}
