using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Supervised;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>Reinforced fine-tuning, ReFT: a supervised warm-up, then PPO on the same questions from a reward that only looks at the
/// answer.</summary>
/// <remarks>
/// Luong et al. 2024, arXiv:2401.08967: a demonstration shows one way to an answer, and sampling finds others. r = 1, 0.1 or 0 at the last
/// token; total reward r_t − β·kl_t against the warmed-up policy; a value head on the policy's body. It gains where questions have several
/// valid ways, and not where a wrong way often hits the answer (multiple choice); <see cref="Exact.StrategyExperiment"/> shows both.
/// </remarks>
public static class ReinforcedFineTuning
{
    /// <summary>Both stages; each element is a step that is done.</summary>
    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="demonstrations">Questions with worked-out answers, for the warm-up.</param>
    /// <param name="problems">The same questions with what the reward compares with.</param>
    /// <param name="options">The stages' options, the reward and the reference; the defaults when null.</param>
    /// <param name="evaluation">Problems that the reinforcement is judged by; null for none.</param>
    /// <param name="cancellation">As in the stages' trainers.</param>
    /// <exception cref="ArgumentException">There is no way to keep the warmed-up policy as a reference; or data or options do not fit, as
    /// the stages' trainers say.</exception>
    public static async IAsyncEnumerable<ReftReport> RunAsync(
        CausalLm policy,
        ITokenizer tokenizer,
        IReadOnlyList<Demonstration> demonstrations,
        IReadOnlyList<Problem> problems,
        ReftOptions? options = null,
        IReadOnlyList<Problem>? evaluation = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        options ??= new ReftOptions();
        if (options.Reference is null && policy is not Decoder { HasAdapter: false })
            throw new ArgumentException(
                $"the policy is a {policy.GetType().Name}, expected a {nameof(Decoder)} without adapters, which can be copied, or {nameof(ReftOptions)}.{nameof(ReftOptions.Reference)}",
                nameof(options)
            );
        using (var trainer = new SftTrainer(policy, tokenizer, options.Warmup))
            foreach (var step in trainer.Run(demonstrations, cancellation: cancellation))
                yield return new ReftReport(ReftStage.Warmup, step);

        using var copy = options.Reference is null ? ((Decoder)policy).Copy() : null;
        // Values begin as 0.
        using var critic = ValueHead.For(policy, new HeadOptions { StandardDeviation = 0 });
        using (
            var trainer = new PpoTrainer(
                policy,
                tokenizer,
                options.Reward,
                options.Reinforcement with
                {
                    Critic = critic,
                    Reference = copy ?? options.Reference!(policy),
                }
            )
        )
            await foreach (var step in trainer.RunAsync(problems, evaluation, cancellation).ConfigureAwait(false))
                yield return new ReftReport(ReftStage.Reinforcement, step);
    }
}
