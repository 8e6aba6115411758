using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>A policy's own completions of problems, judged: the best of each as a demonstration where it ended by
/// itself, best and worst as a pair.</summary>
internal sealed class JudgedDraws(CausalLm policy, ITokenizer tokenizer, IReward reward)
{
    internal async Task<(IReadOnlyList<Demonstration> Best, IReadOnlyList<PreferencePair> Pairs)> DrawAsync(
        IReadOnlyList<Problem> problems,
        DrawOptions options,
        ulong seed,
        CancellationToken cancellation
    )
    {
        var prompts = TokenizedPrompt
            .Of(problems, nameof(problems), policy, tokenizer)
            .SelectMany(prompt => Enumerable.Repeat(prompt, options.Draws))
            .ToArray();
        var (best, pairs) = (new List<Demonstration>(), new List<PreferencePair>());
        // Whole groups at a time.
        int size = Math.Max(1, options.BatchSize / options.Draws) * options.Draws,
            first = 0;
        foreach (var part in prompts.Chunk(size))
        {
            SamplingOptions sampling = options.Sampling with { FirstRow = first };
            var completions = TokenizedPrompt.Draw(policy, tokenizer, part, sampling, seed, cancellation);
            first += part.Length;
            var scores = await Scoring.ScoreCheckedAsync(reward, completions, RewardContext.None, cancellation).ConfigureAwait(false);
            foreach (var group in completions.Zip(scores.Values).Chunk(options.Draws))
            {
                var finished = group.Where(item => item.First.Finished).ToArray();
                var (top, score) = (finished.Length > 0 ? finished : group).MaxBy(item => item.Second);
                var (bottom, least) = group.MinBy(item => item.Second);
                if (top.Finished && score >= options.Threshold)
                    best.Add(new Demonstration(top.Problem.Prompt, top.Text));
                if (score > least && top.Text != bottom.Text)
                    pairs.Add(new PreferencePair(top.Problem.Prompt, top.Text, bottom.Text));
            }
        }
        return (best, pairs);
    }
}
