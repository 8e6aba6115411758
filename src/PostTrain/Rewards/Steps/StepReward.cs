using System.Text.RegularExpressions;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards.Steps;

/// <summary>Creates step rewards, and completion rewards from them.</summary>
public static class StepReward
{
    private static readonly Regex Equations = new(
        @"(?<left>[0-9(][0-9 .,+\-*/×÷()−]*)=\s*(?<right>-?[0-9][0-9.,/]*)",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking
    );

    /// <summary>Creates a step reward from a process reward model or another function of all steps: p_k, one score per step.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes one score per step for each completion, NaN if not applicable; the number of scores is checked.</param>
    public static IStepReward OfAll(
        string name,
        Func<IReadOnlyList<SteppedCompletion>, RewardContext, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score
    )
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionStepReward(name, score);
    }

    /// <summary>Creates a step reward from a rule for single steps: r_k = 1[step k is valid].</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="isValid">Maps a completion and a step's index to true, false, or null if the rule does not apply.</param>
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

    /// <summary>Checks the calculations of a step: scores 1 if all of <c>48/2 = 24</c>, <c>3 × 4 = 12</c> hold, 0 if one does not; not
    /// applicable without a calculation.</summary>
    /// <remarks>Uses the parser of <see cref="AnswerEquivalence"/>; no code is evaluated. It does not check relevance: a chain of true but
    /// needless equations scores 1.</remarks>
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

    /// <summary>Estimates step values by Monte Carlo: the share of N completions from the end of step k that the outcome reward accepts
    /// (Math-Shepherd, arXiv:2312.08935, eq. 3-4).</summary>
    /// <remarks>Soft: an unbiased estimate of the value V(s_k) of the rollout policy. Hard: 1 if any completion is correct; its mean 1 − (1
    /// − V)^N grows with N. Costs N completions per step.</remarks>
    /// <param name="rollouts">Draws the requested number of completions of the problem that begin with this text.</param>
    /// <param name="outcome">Scores whole completions; above ½ is correct.</param>
    /// <param name="count">N, at least 1.</param>
    /// <param name="hard">True if one correct completion is enough. Default false.</param>
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
                            throw new InvalidOperationException($"rollouts returned {drawn.Count} completions, expected {count}");
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

    /// <summary>Computes a completion's reward from its steps' scores: product, logarithm of the product, minimum, last or mean (<see
    /// cref="StepScores"/>).</summary>
    /// <remarks>Steps that are not applicable are left out; a completion without a scored step is not applicable. Scores must be
    /// probabilities, 0 to 1. Product and sum of logarithms penalise long solutions, the mean rewards padding with easy steps, the last
    /// ignores all other steps.</remarks>
    /// <param name="steps">The step reward.</param>
    /// <param name="aggregation">The aggregation. Not <see cref="StepAggregation.LogSum"/> if a score may be 0: the reward would be
    /// infinite, which is an error.</param>
    /// <param name="separator">Separator between steps; a line end by default.</param>
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
