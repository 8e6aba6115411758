using PostTrain.Text;

namespace PostTrain.Rewards.Steps;

/// <summary>Creates rewards of single tokens.</summary>
public static class TokenReward
{
    /// <summary>Creates a token reward from a function of one completion.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="score">Computes one number per token of the completion.</param>
    public static ITokenReward Of(string name, Func<Completion, double[]> score)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(score);
        return new FunctionTokenReward(
            name,
            (completions, _, _) => ValueTask.FromResult<IReadOnlyList<double[]>>([.. completions.Select(score)])
        );
    }

    /// <summary>Places each step's score, times a weight, at the step's last token; 0 elsewhere, and for scores that are not applicable
    /// (NaN).</summary>
    /// <remarks>The sum of such scores rewards a policy for more steps; <see cref="StepRewards.Shaped"/> avoids that.</remarks>
    /// <param name="steps">The step reward.</param>
    /// <param name="tokenizer">The policy's tokenizer, to find a step's last token.</param>
    /// <param name="weight">Finite, of any sign; 1 by default.</param>
    /// <param name="separator">Separator between steps; a line end by default.</param>
    public static ITokenReward AtStepEnds(IStepReward steps, ITokenizer tokenizer, double weight = 1, string separator = "\n")
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(separator);
        if (!double.IsFinite(weight))
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "weight must be finite");
        return new FunctionTokenReward(
            steps.Name,
            async (completions, context, cancellation) =>
            {
                SteppedCompletion[] stepped = [.. completions.Select(completion => SteppedCompletion.Of(completion, separator))];
                var scores = await steps.ScoreStepsAsync(stepped, context, cancellation).ConfigureAwait(false);
                return [.. stepped.Select((completion, i) => Placed(completion, scores[i], tokenizer, weight))];
            }
        );
    }

    /// <summary>Calls a token reward and validates its result.</summary>
    /// <exception cref="InvalidOperationException">A count is wrong or a number is not finite; the message names the reward, the place and
    /// the value.</exception>
    internal static async ValueTask<IReadOnlyList<double[]>> ScoreCheckedAsync(
        ITokenReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation
    )
    {
        cancellation.ThrowIfCancellationRequested();
        var scores = await Patience
            .UntilAsync(async () => await reward.ScoreTokensAsync(completions, context, cancellation).ConfigureAwait(false), cancellation)
            .ConfigureAwait(false);
        if (scores is null || scores.Count != completions.Count)
            throw new InvalidOperationException(
                $"token reward '{reward.Name}' returned "
                    + $"{scores?.Count.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null"}, "
                    + $"expected {completions.Count} lists, one for each completion"
            );
        for (int i = 0; i < scores.Count; i++)
        {
            if (scores[i]?.Length != completions[i].Tokens.Length)
                throw new InvalidOperationException(
                    $"token reward '{reward.Name}' returned {scores[i]?.Length ?? 0} values for completion {i}, "
                        + $"expected {completions[i].Tokens.Length}, one for each token"
                );
            if (Array.FindIndex(scores[i], value => !double.IsFinite(value)) is var bad and >= 0)
                throw new InvalidOperationException(
                    FormattableString.Invariant(
                        $"token reward '{reward.Name}' returned {scores[i][bad]} for token {bad} of completion {i}, "
                    ) + "expected a finite number"
                );
        }
        return scores;
    }

    private static double[] Placed(SteppedCompletion completion, double[] scores, ITokenizer tokenizer, double weight)
    {
        var values = new double[completion.Completion.Tokens.Length];
        foreach (var (end, score) in StepRewards.TokenEnds(completion, tokenizer).Zip(scores))
            if (!double.IsNaN(score))
                values[end] += weight * score;
        return values;
    }
}

/// <summary>A token reward from a function.</summary>
internal sealed class FunctionTokenReward(
    string name,
    Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score
) : ITokenReward
{
    public string Name { get; } = name;

    public ValueTask<IReadOnlyList<double[]>> ScoreTokensAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    ) => score(completions, context, cancellation);
}
