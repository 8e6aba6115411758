using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>Offline self-training: the policy's own completions that are right become demonstrations of supervised fine-tuning.</summary>
/// <remarks>
/// STaR (Zelikman et al. 2022, arXiv:2203.14465) repeats it and begins each time from the first model
/// (<see cref="SelfTrainingOptions.FromFirstPolicy"/>); rejection-sampling fine-tuning, RFT (Yuan et al. 2023, arXiv:2308.01825), does it
/// once from the warmed-up policy and keeps every way once. What is right is the reward's to say; of the policy's mistakes nothing is
/// learnt, which is what reinforcement adds.
/// </remarks>
/// <example><code>
/// var recipe = new SelfTraining(policy, tokenizer, reward, new SelfTrainingOptions { Demonstrations = demonstrations, Rounds = 3 });
/// await foreach (var report in recipe.RunAsync(problems)) Console.WriteLine(report);
/// </code></example>
public sealed class SelfTraining : Recipe
{
    /// <summary>Stage of <see cref="Supervised.SftTrainer"/> on the demonstrations and the policy's own right completions.</summary>
    public const string Training = "training";

    private const string Own = "own.jsonl";
    private readonly IReward reward;
    private readonly SelfTrainingOptions options;
    private long collections;

    /// <summary>Checks the options.</summary>
    /// <param name="policy">Model that draws; its parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Options of collection and training.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public SelfTraining(CausalLm policy, ITokenizer tokenizer, IReward reward, SelfTrainingOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(reward);
        options.Validate();
        (this.reward, this.options) = (reward, options);
    }

    /// <summary>Runs the rounds: collects, then trains on what is known and what was collected in this round.</summary>
    /// <remarks>Metrics of each step are those of <see cref="Supervised.SftTrainer"/>.</remarks>
    /// <param name="problems">Problems with what the reward compares with; at least one.</param>
    /// <param name="cancellation">Looked at while completions are drawn and judged, and between steps.</param>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The reward's answer is unusable; or nothing was right, and there is no demonstration
    /// either.</exception>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Problem> problems,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        var folder = Open();
        using var first = options is { FromFirstPolicy: true, Rounds: > 1 } ? new TrainedWeights(Policy) : null;
        for (int round = 1; round <= options.Rounds; round++)
        {
            var place = folder.Round(round);
            var own = place.Read<Demonstration>(Own);
            if (own is null)
            {
                own = await CollectAsync(problems, options.Seed + (ulong)(round - 1), cancellation).ConfigureAwait(false);
                place.Write(Own, own);
            }
            Demonstration[] shown = [.. options.Demonstrations, .. own];
            if (shown.Length == 0)
                throw new InvalidOperationException(
                    $"no completion is rewarded with {options.Threshold} in round {round}, and there is no demonstration to train on"
                );
            first?.Restore();
            foreach (var report in Supervise(place, Training, options.Training, shown, cancellation))
                yield return report with
                {
                    Round = round,
                };
            await EndAsync(Training, cancellation, round: round).ConfigureAwait(false);
        }
    }

    /// <summary>Draws completions of the problems and keeps those that ended by a stop token, are rewarded with the threshold at least, and
    /// show a way that is not among the demonstrations. Nothing is trained, and dropout is off meanwhile.</summary>
    /// <param name="problems">Problems with what the reward compares with; at least one.</param>
    /// <param name="cancellation">Looked at while completions are drawn and judged.</param>
    /// <returns>The kept completions as demonstrations, in the order of the problems; each way of a prompt once. Empty where nothing new is
    /// right.</returns>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The reward's answer is unusable: wrong count, NaN or infinite.</exception>
    public Task<IReadOnlyList<Demonstration>> CollectAsync(IReadOnlyList<Problem> problems, CancellationToken cancellation = default) =>
        CollectAsync(problems, options.Seed, cancellation);

    private async Task<IReadOnlyList<Demonstration>> CollectAsync(
        IReadOnlyList<Problem> problems,
        ulong seed,
        CancellationToken cancellation
    )
    {
        var prompts = TokenizedPrompt
            .Of(problems, nameof(problems), Policy, Tokenizer)
            .SelectMany(prompt => Enumerable.Repeat(prompt, options.SamplesPerProblem))
            .ToArray();
        var known = options.Demonstrations.Select(shown => (shown.Prompt.Text, options.DeduplicationKey(shown.Completion))).ToHashSet();
        var kept = new Dictionary<string, int>();
        var own = new List<Demonstration>();
        int first = 0;
        if (options.Source is { } source)
            await source.UpdateAsync(Policy, collections++, cancellation).ConfigureAwait(false);
        foreach (var part in prompts.Chunk(options.BatchSize))
        {
            var sampling = options.Sampling with { FirstRow = first };
            var completions = await TokenizedPrompt
                .DrawAsync(Policy, Tokenizer, options.Source, part, sampling, seed, cancellation)
                .ConfigureAwait(false);
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
