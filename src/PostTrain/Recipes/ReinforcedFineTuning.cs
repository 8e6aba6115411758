using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Recipes;

/// <summary>Reinforced fine-tuning, ReFT: a supervised warm-up, then PPO on the same questions from a reward that only looks at the
/// answer.</summary>
/// <remarks>
/// Luong et al. 2024, arXiv:2401.08967: a demonstration shows one way to an answer, and sampling finds others. r = 1, 0.1 or 0 at the last
/// token (<see cref="MathAnswerOptions.ReinforcedFineTuning"/>); total reward r_t − β·kl_t against the warmed-up policy; a value head on
/// the policy's body. It gains where questions have several valid ways, and not where a wrong way often hits the answer (multiple choice);
/// <see cref="Exact.StrategyExperiment"/> shows both.
/// </remarks>
public sealed class ReinforcedFineTuning : Recipe
{
    /// <summary>Stage of <see cref="Supervised.SftTrainer"/> on the demonstrations.</summary>
    public const string Warmup = "warmup";

    /// <summary>Stage of <see cref="PpoTrainer"/> from the reward.</summary>
    public const string Reinforcement = "reinforcement";

    private readonly IReward reward;
    private readonly ReftOptions options;

    /// <summary>Checks the arguments.</summary>
    /// <param name="policy">Model whose parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions; the paper's is
    /// <c>Reward.MathAnswer(MathAnswerOptions.ReinforcedFineTuning)</c>.</param>
    /// <param name="options">Options of the stages.</param>
    /// <exception cref="ArgumentException">There is no way to keep the warmed-up policy as a reference.</exception>
    public ReinforcedFineTuning(CausalLm policy, ITokenizer tokenizer, IReward reward, ReftOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(reward);
        (this.reward, this.options) = (reward, options);
        CheckReference(options, options.Reference is not null);
    }

    /// <summary>Runs both stages; each element is a step that is done.</summary>
    /// <param name="demonstrations">Questions with worked-out answers, for the warm-up.</param>
    /// <param name="problems">The same questions with what the reward compares with.</param>
    /// <param name="evaluation">Problems that the reinforcement is judged by; null for none.</param>
    /// <param name="cancellation">As in the stages' trainers.</param>
    /// <exception cref="ArgumentException">Data or options do not fit, as the stages' trainers say.</exception>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Demonstration> demonstrations,
        IReadOnlyList<Problem> problems,
        IReadOnlyList<Problem>? evaluation = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        var folder = Open();
        foreach (var report in Supervise(folder, Warmup, options.Warmup, demonstrations, cancellation))
            yield return report;
        await EndAsync(Warmup, cancellation).ConfigureAwait(false);

        using var copy = options.Reference is null ? ((Decoder)Policy).Copy() : null;
        var reinforcement = folder.Options(options.Reinforcement, Reinforcement) with { Reference = copy ?? options.Reference!(Policy) };
        using var trainer = new PpoTrainer(Policy, Tokenizer, reward, reinforcement);
        folder.Resume(trainer.Resume, Reinforcement);
        await foreach (var step in trainer.RunAsync(problems, evaluation, cancellation).ConfigureAwait(false))
            yield return new RecipeReport(Reinforcement, step);
        await EndAsync(Reinforcement, cancellation).ConfigureAwait(false);
    }
}
