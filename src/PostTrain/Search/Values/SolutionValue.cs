using PostTrain.Rewards;
using PostTrain.Rewards.Steps;

namespace PostTrain.Search;

/// <summary>Makes values of solutions.</summary>
public static class SolutionValue
{
    /// <summary>A process reward model, or any reward of steps: one score for each step of the text.</summary>
    /// <remarks>Steps that the reward does not apply to (NaN) are left out; a text without a scored step gets the score 0.</remarks>
    /// <param name="steps">Scores steps, for example <c>LearnedRewards.Steps</c>.</param>
    /// <param name="separator">Between steps, as the reward knows them; a line end by default.</param>
    public static ISolutionValue Of(IStepReward steps, string separator = "\n")
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentException.ThrowIfNullOrEmpty(separator);
        return Of(
            async (solutions, cancellation) =>
            {
                var scores = await steps
                    .ScoreStepsAsync(
                        [.. solutions.Select(solution => SteppedCompletion.Of(solution.ToCompletion(), separator))],
                        RewardContext.None,
                        cancellation
                    )
                    .ConfigureAwait(false);
                return [.. scores.Select(row => row.Where(score => !double.IsNaN(score)).DefaultIfEmpty(0).ToArray())];
            }
        );
    }

    /// <summary>An outcome reward model, a rule, agreement within the round, or any reward: a single score of the text so far.</summary>
    /// <remarks>Rewards that compare completions, such as <see cref="Reward.SelfConsistency"/>, compare those of one round.</remarks>
    /// <param name="reward">Scores completions.</param>
    public static ISolutionValue Of(IReward reward)
    {
        ArgumentNullException.ThrowIfNull(reward);
        return Of(
            async (solutions, cancellation) =>
            {
                var scores = await Scoring
                    .ScoreCheckedAsync(reward, [.. solutions.Select(solution => solution.ToCompletion())], RewardContext.None, cancellation)
                    .ConfigureAwait(false);
                return [.. scores.Values.Select(score => new[] { score })];
            }
        );
    }

    /// <summary>The generator's own confidence: exp of the mean log-prob of the solution's tokens, in (0, 1].</summary>
    /// <remarks>It costs nothing. Of steps without log-probs it is an error.</remarks>
    public static ISolutionValue Likelihood { get; } =
        Of(solution =>
        {
            var steps = solution.Steps;
            if (steps.Any(step => step.LogProb is null))
                throw new InvalidOperationException("a step has no log-prob, expected a generator that gives them");
            // A generator without tokens, such as a table, is measured by steps.
            return Math.Exp(
                steps.Sum(step => step.LogProb!.Value) / Math.Max(1, solution.TokenCount > 0 ? solution.TokenCount : steps.Count)
            );
        });

    /// <summary>A function of each solution, such as a table of exact values.</summary>
    /// <param name="value">A single score of the solution.</param>
    public static ISolutionValue Of(Func<PartialSolution, double> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Of((solutions, _) => ValueTask.FromResult<IReadOnlyList<double[]>>([.. solutions.Select(one => new[] { value(one) })]));
    }

    /// <summary>A function of all solutions of a round.</summary>
    /// <param name="score">For each solution the scores of its steps, or a single one.</param>
    public static ISolutionValue Of(Func<IReadOnlyList<PartialSolution>, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score)
    {
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionValue(score);
    }

    private sealed class FunctionValue(Func<IReadOnlyList<PartialSolution>, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score)
        : ISolutionValue
    {
        public ValueTask<IReadOnlyList<double[]>> ScoreAsync(
            IReadOnlyList<PartialSolution> solutions,
            CancellationToken cancellation = default
        ) => score(solutions, cancellation);
    }
}
