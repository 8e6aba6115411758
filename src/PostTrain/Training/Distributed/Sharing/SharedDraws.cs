using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Training.Distributed;

/// <summary>Draws and judges the completions of a trainer's steps on all its ranks.</summary>
/// <param name="ranks">The ranks.</param>
/// <param name="unit">Completions of a prompt, which stay together.</param>
/// <param name="feed">Source of completions; null: the policy draws.</param>
/// <param name="drawing">The policy and its tokenizer.</param>
internal sealed class SharedDraws(Ranks ranks, int unit, SourceFeed? feed, (CausalLm Policy, ITokenizer Tokenizer) drawing)
{
    /// <summary>Draws one completion of each prompt; the caller disposes them.</summary>
    /// <param name="prompts">Prompt of each row.</param>
    /// <param name="sampling">How.</param>
    /// <param name="seed">Seed of the draw.</param>
    /// <param name="weights">Number of the policy's weights, and true to draw with exactly these.</param>
    /// <param name="cancellation">Cancels it.</param>
    internal Task<RolloutBatch> DrawAsync(
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        (long Version, bool IsCurrent) weights,
        CancellationToken cancellation
    )
    {
        var (policy, tokenizer) = drawing;
        int[][] ids = [.. prompts.Select(prompt => prompt.Ids)];
        var layout = (policy, tokenizer.PaddingId);
        return feed is null
            ? SharedRollouts.GenerateAsync(
                ranks,
                ids,
                unit,
                layout,
                (sampling, (some, how) => Sampler.Generate(policy, some, how, seed, tokenizer, cancellation))
            )
            : SharedRollouts.DrawAsync(ranks, ids, unit, layout, FeedAsync);

        Task<RolloutBatch> FeedAsync(int start, int count) =>
            count == prompts.Count
                ? feed.DrawAsync(prompts, sampling, seed, weights.Version, weights.IsCurrent, cancellation)
                : feed.DrawAsync(
                    [.. prompts.Skip(start).Take(count)],
                    sampling.At(start, count),
                    seed,
                    weights.Version,
                    weights.IsCurrent,
                    cancellation
                );
    }

    /// <summary>Judges completions.</summary>
    internal Task<RewardScores> ScoreAsync(
        IReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation
    ) => SharedScores.ScoreAsync(ranks, reward, completions, unit, (context, cancellation));

    /// <summary>Judges the tokens of completions.</summary>
    internal Task<IReadOnlyList<double[]>> ScoreAsync(
        ITokenReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation
    ) => SharedScores.TokensAsync(ranks, reward, completions, unit, (context, cancellation));
}
