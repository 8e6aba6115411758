using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Refinement;

/// <summary>Offline self-training: the policy's own completions that are right become demonstrations of supervised fine-tuning.</summary>
/// <remarks>
/// STaR (Zelikman et al. 2022, arXiv:2203.14465) repeats it and begins each time from the first model; rejection-sampling fine-tuning, RFT
/// (Yuan et al. 2023, arXiv:2308.01825), does it once from the warmed-up policy and keeps every way once. What is right is the reward's to
/// say; of the policy's mistakes nothing is learnt, which is what reinforcement adds.
/// </remarks>
/// <example><code>
/// var own = await SelfTraining.CollectAsync(policy, tokenizer, problems, reward, demonstrations);
/// using var trainer = new SftTrainer(policy, tokenizer, options);
/// foreach (var report in trainer.Run([.. demonstrations, .. own])) Console.WriteLine(report);
/// </code></example>
public static class SelfTraining
{
    /// <summary>Draws completions of the problems and keeps those that ended by a stop token, are rewarded with the threshold at least, and
    /// show a way that is not among the demonstrations.</summary>
    /// <param name="policy">Draws; nothing is trained, and dropout is off meanwhile.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="problems">What the policy is asked, with what the reward compares with; at least one.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="demonstrations">What is known already and not kept again; null for none.</param>
    /// <param name="options">The defaults when null.</param>
    /// <param name="cancellation">Looked at while completions are drawn and judged.</param>
    /// <returns>The kept completions as demonstrations, in the order of the problems; each way of a prompt once. Empty where nothing new is
    /// right.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The reward's answer is unusable: wrong count, NaN or infinite.</exception>
    public static async Task<IReadOnlyList<Demonstration>> CollectAsync(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        IReward reward,
        IReadOnlyList<Demonstration>? demonstrations = null,
        SelfTrainingOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(reward);
        options ??= new SelfTrainingOptions();
        options.Validate();
        var prompts = TokenizedPrompt
            .Of(problems, nameof(problems), policy, tokenizer)
            .SelectMany(prompt => Enumerable.Repeat(prompt, options.SamplesPerProblem))
            .ToArray();
        var known = (demonstrations ?? []).Select(shown => (shown.Prompt.Text, options.DeduplicationKey(shown.Completion))).ToHashSet();
        var kept = new Dictionary<string, int>();
        var own = new List<Demonstration>();
        int first = 0;
        foreach (var part in prompts.Chunk(options.BatchSize))
        {
            var completions = TokenizedPrompt.Draw(
                policy,
                tokenizer,
                part,
                options.Sampling with
                {
                    FirstRow = first,
                },
                options.Seed,
                cancellation
            );
            first += part.Length;
            var scores = await Scoring.ScoreCheckedAsync(reward, completions, RewardContext.None, cancellation).ConfigureAwait(false);
            foreach (var (completion, score) in completions.Zip(scores.Values))
            {
                var prompt = completion.Problem.Prompt;
                int already = kept.GetValueOrDefault(prompt);
                if (
                    score < options.Threshold
                    || !completion.Finished
                    || already >= options.MostPerProblem
                    || !known.Add((prompt.Text, options.DeduplicationKey(completion.Text)))
                )
                    continue;
                kept[prompt] = already + 1;
                own.Add(new Demonstration(prompt, completion.Text));
            }
        }
        return own;
    }
}
