using PostTrain.Preference.Online;

namespace PostTrain.Preference.Online;

/// <summary>Rows of two completions that are compared.</summary>
/// <param name="Chosen">The better one; for Nash-MD the policy's.</param>
/// <param name="Rejected">The other.</param>
/// <param name="WinProbability">P(chosen ≻ rejected) with differences of rewards as log-odds.</param>
/// <param name="Weight">1; 0 for a placeholder in a step without a pair, so that the step still makes an update.</param>
internal readonly record struct OnlinePair(int Chosen, int Rejected, double WinProbability, double Weight)
{
    /// <summary>The pairs of a step: of each group the first best against the first worst, without ties; for Nash-MD all groups as they
    /// stand.</summary>
    internal static OnlinePair[] Of(double[] rewards, int groupSize, OnlineMethod method)
    {
        var groups = Enumerable
            .Range(0, rewards.Length / groupSize)
            .Select(group => Enumerable.Range(group * groupSize, groupSize).ToArray())
            .ToArray();
        if (method is OnlineMethod.NashMdMethod)
            return [.. groups.Select(rows => Between(rows[0], rows[1], 1))];
        OnlinePair[] pairs =
        [
            .. groups
                .Select(rows => Between(rows.MaxBy(row => rewards[row]), rows.MinBy(row => rewards[row]), 1))
                .Where(pair => rewards[pair.Chosen] > rewards[pair.Rejected]),
        ];
        return pairs.Length > 0 ? pairs : [Between(0, 1, 0)];

        OnlinePair Between(int chosen, int rejected, double weight) =>
            new(chosen, rejected, 1 / (1 + Math.Exp(rewards[rejected] - rewards[chosen])), weight);
    }
}
