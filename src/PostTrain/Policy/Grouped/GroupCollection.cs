using PostTrain.Rollouts;
using PostTrain.Training;

namespace PostTrain.Policy.Grouped;

/// <summary>Gathers what a step learns from: one draw, or draws until enough groups teach something, and greedy completions where the
/// advantage compares with them.</summary>
/// <param name="options">The trainer's.</param>
/// <param name="draw">Draws a group for each question; the number tells draws of a step apart.</param>
/// <param name="drawGreedy">Draws one greedy completion of each question.</param>
internal sealed class GroupCollection(
    GrpoOptions options,
    Func<Question[], int, Task<Experience>> draw,
    Func<Question[], Task<Experience>> drawGreedy
)
{
    internal async Task<Experience> CollectAsync(QuestionSource source)
    {
        int most = source.IsStream ? options.DynamicSampling?.MaxDraws ?? 1 : 1;
        bool filters = source.IsStream && options.DynamicSampling is not null;
        var draws = new List<Experience>();
        var asked = new List<Question[]>();
        var kept = new List<int[]>();
        try
        {
            int missing = options.BatchSize;
            while (draws.Count < most && missing > 0)
            {
                asked.Add(source.Take(options.BatchSize));
                draws.Add(await draw(asked[^1], draws.Count).ConfigureAwait(false));
                var groups = draws[^1].Scores.Values.Chunk(options.GroupSize).Select((rewards, group) => (rewards, group));
                kept.Add([
                    .. groups
                        .Where(item => !filters || GroupBlock.Differ(item.rewards))
                        .Take(filters ? missing : int.MaxValue)
                        .Select(item => item.group),
                ]);
                missing -= kept[^1].Length;
            }
            if (kept.All(groups => groups.Length == 0))
                kept[0] = [.. Enumerable.Range(0, asked[0].Length)];
            var greedy = options.Objective.Advantage!.NeedsGreedy ? await GreedyAsync(asked, kept).ConfigureAwait(false) : null;
            return new GroupExperience(draws, kept, greedy, options.GroupSize);
        }
        catch
        {
            foreach (var drawn in draws)
                drawn.Dispose();
            throw;
        }
    }

    private async Task<IReadOnlyList<double[]>> GreedyAsync(List<Question[]> asked, List<int[]> kept)
    {
        var questions = kept.SelectMany((groups, i) => groups.Select(group => asked[i][group])).ToArray();
        using var greedy = await drawGreedy(questions).ConfigureAwait(false);
        var rewards = new Queue<double>(greedy.Scores.Values);
        return [.. kept.Select(groups => groups.Select(_ => rewards.Dequeue()).ToArray())];
    }
}
