using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Recipes;

/// <summary>Llama 3's rounds: rejection sampling, supervised fine-tuning of the first policy, DPO, averaging of weights.</summary>
/// <remarks>Grattafiori et al. 2024, arXiv:2407.21783, section 4.1. Each round draws from the policy of the round before. Deviations: the
/// reward is given and not trained anew in each round, and DPO does not mask formatting tokens.</remarks>
public sealed class LlamaRounds : Recipe
{
    /// <summary>Stage of <see cref="Supervised.SftTrainer"/> on demonstrations and kept completions.</summary>
    public const string Training = "supervised";

    /// <summary>Stage of <see cref="DpoTrainer"/>; the runs that are averaged have their number behind it.</summary>
    public const string Preference = "preference";

    private const string Kept = "kept.jsonl",
        Compared = "pairs.jsonl";
    private readonly IReward reward;
    private readonly LlamaRoundsOptions options;

    /// <summary>Checks the arguments.</summary>
    /// <param name="policy">Model whose parameters that require a gradient are trained; a <see cref="Decoder"/> without adapters, as DPO's
    /// reference is its copy.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Options of the stages.</param>
    /// <exception cref="ArgumentException">The policy cannot be copied.</exception>
    public LlamaRounds(CausalLm policy, ITokenizer tokenizer, IReward reward, LlamaRoundsOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(reward);
        options.Validate();
        CheckReference(options, isGiven: false);
        (this.reward, this.options) = (reward, options);
    }

    /// <summary>Runs the rounds; each element is a step that is done.</summary>
    /// <param name="demonstrations">Demonstrations of every round; may be empty.</param>
    /// <param name="problems">Problems with what the reward compares with.</param>
    /// <param name="cancellation">Looked at while completions are drawn and judged, and between steps.</param>
    /// <exception cref="InvalidOperationException">A round has nothing to train on.</exception>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Demonstration> demonstrations,
        IReadOnlyList<Problem> problems,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(demonstrations);
        var folder = Open();
        using var first = new TrainedWeights(Policy);
        var shown = demonstrations.ToList();
        for (int round = 1; round <= options.Rounds; round++)
        {
            var place = folder.Round(round);
            var (kept, pairs) = (place.Read<Demonstration>(Kept), place.Read<PreferencePair>(Compared));
            if (kept is null || pairs is null)
            {
                (kept, pairs) = await new JudgedDraws(Policy, Tokenizer, reward)
                    .DrawAsync(problems, options.Draws, options.Seed + (ulong)(round - 1), cancellation)
                    .ConfigureAwait(false);
                place.Write(Compared, pairs);
                place.Write(Kept, kept);
            }
            shown.AddRange(kept);
            if (shown.Count == 0)
                throw new InvalidOperationException($"no completion of round {round} is rewarded, and there is no demonstration");
            first.Restore();
            foreach (var report in Supervise(place, Training, options.Supervised, shown, cancellation))
                yield return report with
                {
                    Round = round,
                };
            await EndAsync(Training, cancellation, round: round).ConfigureAwait(false);
            if (pairs.Count == 0)
                continue;
            foreach (var report in Prefer(place, pairs, cancellation))
                yield return report with
                {
                    Round = round,
                };
            await EndAsync(Preference, cancellation, round: round).ConfigureAwait(false);
        }
    }

    private IEnumerable<RecipeReport> Prefer(RecipeFolder place, IReadOnlyList<PreferencePair> pairs, CancellationToken cancellation)
    {
        using var reference = ((Decoder)Policy).Copy();
        using var start = new TrainedWeights(Policy);
        using var sum = new WeightAverage(Policy);
        for (int run = 1; run <= options.Averaged; run++)
        {
            start.Restore();
            string stage = $"{Preference}-{run}";
            var how = options.Preference with { Seed = options.Preference.Seed + (ulong)(run - 1) };
            using var trainer = new DpoTrainer(Policy, Tokenizer, ReferencePolicy.Of(reference), place.Options(how, stage));
            place.Resume(trainer.Resume, stage);
            foreach (var step in trainer.Run(pairs, cancellation: cancellation))
                yield return new RecipeReport(stage, step);
            sum.Add();
        }
        sum.Apply();
    }
}
