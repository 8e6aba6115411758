namespace PostTrain.Rewards;

/// <summary>Selects one of several completions of a problem.</summary>
public static class Voting
{
    /// <summary>Self-consistency: selects the answer with the largest weight, argmax_a Σ_i w_i 1[a_i = a] (Wang et al. 2022,
    /// arXiv:2203.11171).</summary>
    /// <remarks>Each answer joins the first class whose first answer it equals; equality with a tolerance is not transitive.</remarks>
    /// <param name="answers">The extracted answers, null for a missing one.</param>
    /// <param name="weights">One weight per vote, finite and at least 0; null means 1 each.</param>
    /// <param name="tolerance">The tolerance of <see cref="AnswerEquivalence"/>.</param>
    /// <exception cref="ArgumentException">Weights and answers differ in number, or a weight is negative or not finite.</exception>
    public static Vote Majority(
        IReadOnlyList<string?> answers,
        IReadOnlyList<double>? weights = null,
        double tolerance = AnswerEquivalence.DefaultTolerance
    )
    {
        ArgumentNullException.ThrowIfNull(answers);
        if (weights is not null && weights.Count != answers.Count)
            throw new ArgumentException(
                $"weights holds {weights.Count} values, expected {answers.Count}, one for each answer",
                nameof(weights)
            );
        var firsts = new List<string>();
        var sums = new List<double>();
        var classes = new int[answers.Count];
        double all = 0;
        for (var i = 0; i < classes.Length; i++)
        {
            var weight = weights?[i] ?? 1;
            if (!double.IsFinite(weight) || weight < 0)
                throw new ArgumentException(
                    FormattableString.Invariant($"weights[{i}] is {weight}, expected a finite number of at least 0"),
                    nameof(weights)
                );
            all += weight;
            classes[i] = answers[i] is { } answer
                ? firsts.FindIndex(first => AnswerEquivalence.AreEquivalent(first, answer, tolerance))
                : -1;
            if (answers[i] is { } given && classes[i] < 0)
            {
                classes[i] = firsts.Count;
                firsts.Add(given);
                sums.Add(0);
            }

            if (classes[i] >= 0)
                sums[classes[i]] += weight;
        }

        var best = sums.Count == 0 ? -1 : sums.IndexOf(sums.Max());
        return new Vote(best < 0 ? null : firsts[best], best < 0 || all == 0 ? 0 : sums[best] / all, firsts, sums, classes);
    }

    /// <summary>Best of N: returns the index of the largest score, the first of equals; NaN never wins.</summary>
    /// <param name="scores">At least one that is not NaN.</param>
    /// <exception cref="ArgumentException">There is no such score.</exception>
    public static int BestOfN(IReadOnlyList<double> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        var best = -1;
        for (var i = 0; i < scores.Count; i++)
        {
            if (!double.IsNaN(scores[i]) && (best < 0 || scores[i] > scores[best]))
                best = i;
        }

        return best >= 0
            ? best
            : throw new ArgumentException($"scores holds {scores.Count} values, expected at least one number", nameof(scores));
    }
}
