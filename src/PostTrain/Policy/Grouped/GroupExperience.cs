using PostTrain.Rewards;
using PostTrain.Training;

namespace PostTrain.Policy.Grouped;

/// <summary>The draws of a step, and which of their groups are to be learnt from. What is reported of rewards and lengths is of all that
/// was drawn.</summary>
internal sealed class GroupExperience(
    IReadOnlyList<Experience> draws,
    IReadOnlyList<int[]> kept,
    IReadOnlyList<double[]>? greedyRewards,
    int groupSize
)
    : Experience(
        draws[0].Rollouts,
        [.. draws.SelectMany(draw => draw.Completions)],
        RewardScores.Concatenate([.. draws.Select(draw => draw.Scores)])
    )
{
    internal int Draws => draws.Count;

    /// <summary>The share of drawn groups whose rewards differ.</summary>
    internal double Efficiency
    {
        get
        {
            var groups = Scores.Values.Chunk(groupSize).ToArray();
            return groups.Count(group => GroupBlock.Differ(group)) / (double)groups.Length;
        }
    }

    /// <summary>The mean reward of the greedy completions; null where none were drawn.</summary>
    internal double? GreedyMean => greedyRewards?.SelectMany(rewards => rewards).Average();

    /// <summary>The kept groups of each draw, as tensors of the current scope.</summary>
    internal IReadOnlyList<GroupBlock> Blocks()
    {
        var blocks = new List<GroupBlock>();
        for (int i = 0; i < draws.Count; i++)
        {
            if (kept[i].Length == 0)
                continue;
            var (rollouts, scores) = (draws[i].Rollouts, draws[i].Scores);
            int rows = scores.Values.Length;
            // Components that not every draw has could not be put side by side.
            var components = scores
                .Components.Where(part => Scores.Components.ContainsKey(part.Key))
                .ToDictionary(part => part.Key, part => part.Value);
            var whole = new GroupBlock(
                rollouts.Rows(0, rows),
                rollouts.DrawnLogProbs.narrow(0, 0, rows),
                groupSize,
                scores.Values,
                [.. rollouts.Finished],
                components,
                null
            );
            blocks.Add(whole.Select(kept[i]) with { GreedyRewards = greedyRewards?[i] });
        }
        return blocks;
    }

    public override void Dispose()
    {
        base.Dispose();
        foreach (var draw in draws.Skip(1))
            draw.Dispose();
    }
}
