namespace PostTrain.Rewards;

/// <summary>Implements <see cref="Reward.SelfConsistency"/>.</summary>
internal static class SelfConsistencyReward
{
    internal static double[] Scores(Completion[] group, SelfConsistencyOptions options)
    {
        var weights = group.Select(completion => options.Weight is { } weigh ? Weight(weigh(completion), options.Name) : 1).ToArray();
        var vote = Voting.Majority(
            [.. group.Select(completion => AnswerExtraction.Extract(completion.Text, options.Places))],
            weights,
            options.Tolerance
        );
        return options.Form switch
        {
            SelfConsistencyForm.LeaveOneOut => [.. group.Select((_, i) => LeaveOneOut(vote, weights, i))],
            SelfConsistencyForm.Majority => [.. vote.Classes.Select(index => Majority(vote, index))],
            _ => [.. Enumerable.Repeat(NegativeEntropy(vote, weights), group.Length)],
        };
    }

    private static double LeaveOneOut(Vote vote, double[] weights, int i)
    {
        double agreeing = 0,
            all = 0;
        for (var j = 0; j < weights.Length; j++)
        {
            if (j == i)
                continue;
            all += weights[j];
            if (vote.Classes[i] >= 0 && vote.Classes[j] == vote.Classes[i])
                agreeing += weights[j];
        }

        return all > 0 ? agreeing / all : double.NaN;
    }

    private static double Majority(Vote vote, int index)
    {
        if (index < 0)
            return 0;
        var most = vote.Weights.Max();
        return vote.Weights[index] == most ? 1.0 / vote.Weights.Count(weight => weight == most) : 0;
    }

    private static double NegativeEntropy(Vote vote, double[] weights)
    {
        var masses = vote.Weights.Concat(weights.Where((_, i) => vote.Classes[i] < 0)).Where(weight => weight > 0).ToArray();
        var all = masses.Sum();
        return masses.Sum(mass => mass / all * Math.Log(mass / all));
    }

    private static double Weight(double weight, string name) =>
        double.IsFinite(weight) && weight >= 0
            ? weight
            : throw new InvalidOperationException(
                FormattableString.Invariant($"reward '{name}': a vote has the weight {weight}, expected a finite number of at least 0")
            );
}
