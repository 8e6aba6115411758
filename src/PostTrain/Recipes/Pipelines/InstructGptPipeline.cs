using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.RewardModeling;
using PostTrain.Text;

namespace PostTrain.Recipes;

/// <summary>InstructGPT's pipeline: supervised fine-tuning, a reward model of ranked completions, PPO with the demonstrations mixed in
/// (PPO-ptx).</summary>
/// <remarks>Ouyang et al. 2022, arXiv:2203.02155, section 3. A ranking of K completions gives K(K−1)/2 pairs. The paper keeps the pairs of
/// a ranking in one batch; here they are ordered like all pairs, by the seed.</remarks>
public sealed class InstructGptPipeline : Recipe
{
    /// <summary>Stage of <see cref="PostTrain.Supervised.SftTrainer"/>.</summary>
    public const string Supervised = "supervised";

    /// <summary>Stage of <see cref="RewardTrainer"/>.</summary>
    public const string RewardModel = "reward-model";

    /// <summary>Stage of <see cref="PpoTrainer"/>.</summary>
    public const string Reinforcement = "reinforcement";

    private readonly InstructGptOptions options;

    /// <summary>Checks the arguments.</summary>
    /// <param name="policy">Model whose parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Tokenizer of policy and reward model.</param>
    /// <param name="options">Reward model and options of the stages.</param>
    /// <exception cref="ArgumentException">There is no way to keep the supervised policy as a reference.</exception>
    public InstructGptPipeline(CausalLm policy, ITokenizer tokenizer, InstructGptOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(options.RewardModel);
        Guard.NotNegative(options.PtxCoefficient, nameof(options.PtxCoefficient));
        this.options = options;
        CheckReference(options, options.Reference is not null);
    }

    /// <summary>Runs the stages; each element is a step that is done.</summary>
    /// <param name="demonstrations">Demonstrations of the first stage, mixed into the last.</param>
    /// <param name="rankings">Ranked completions.</param>
    /// <param name="problems">Prompts of the reinforcement.</param>
    /// <param name="cancellation">As in the stages' trainers.</param>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Demonstration> demonstrations,
        IReadOnlyList<RankedCompletions> rankings,
        IReadOnlyList<Problem> problems,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(demonstrations);
        ArgumentNullException.ThrowIfNull(rankings);
        PreferencePair[] pairs = [.. rankings.SelectMany(ranking => ranking.Pairs)];
        var folder = Open();
        foreach (var report in Supervise(folder, Supervised, options.Supervised, demonstrations, cancellation))
            yield return report;
        await EndAsync(Supervised, cancellation).ConfigureAwait(false);

        using (var trainer = new RewardTrainer(options.RewardModel, Tokenizer, folder.Options(options.RewardTraining, RewardModel)))
        {
            folder.Resume(trainer.Resume, RewardModel);
            foreach (var step in trainer.Run(pairs, cancellation: cancellation))
                yield return new RecipeReport(RewardModel, step);
        }
        await EndAsync(RewardModel, cancellation, options.RewardModel).ConfigureAwait(false);

        using var copy = options.Reference is null ? ((Decoder)Policy).Copy() : null;
        var how = options.Reinforcement with { Reference = copy ?? options.Reference!(Policy) };
        if (how.Ptx is null && options.PtxCoefficient > 0)
            how = how with { Ptx = new PtxOptions(demonstrations) { Coefficient = options.PtxCoefficient } };
        var reward = LearnedRewards.Outcome(options.RewardModel, Tokenizer);
        using var ppo = new PpoTrainer(Policy, Tokenizer, reward, folder.Options(how, Reinforcement));
        folder.Resume(ppo.Resume, Reinforcement);
        await foreach (var step in ppo.RunAsync(problems, cancellation: cancellation).ConfigureAwait(false))
            yield return new RecipeReport(Reinforcement, step);
        await EndAsync(Reinforcement, cancellation).ConfigureAwait(false);
    }
}
