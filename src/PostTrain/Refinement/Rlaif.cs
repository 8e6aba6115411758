using System.Diagnostics;
using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.RewardModeling;
using PostTrain.Rewards.Judges;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Refinement;

/// <summary>Reinforcement learning from AI feedback, RLAIF: a judge compares the policy's completions, a reward model learns its soft
/// labels, the policy learns from the reward model.</summary>
/// <remarks>
/// Lee et al. 2023, arXiv:2309.00267, section 2; the judge asks in both orders (<see cref="Judge.Pairs"/>), labels stay probabilities, and
/// the policy is held near to where it began. The policy ends where the judge is pleased, which need not be where the answers are good:
/// measure with something that the judge has not seen. Without a reward model (direct RLAIF, section 2.2.2) give <see cref="Judge.Rubric"/>
/// to <see cref="GrpoTrainer"/>.
/// </remarks>
public static class Rlaif
{
    /// <summary>All three stages; each element is a step that is done.</summary>
    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="rewardModel">Learns the labels, one score a sequence, e.g. <c>SequenceClassifier.For(policy.Copy())</c>; it stays with
    /// the caller.</param>
    /// <param name="tokenizer">That of both models.</param>
    /// <param name="problems">What the policy is asked in the first and the last stage.</param>
    /// <param name="judge">Compares completions.</param>
    /// <param name="options">The stages' options and the reference; the defaults when null.</param>
    /// <param name="evaluation">Problems that the last stage is judged by, with the learnt reward; null for none.</param>
    /// <param name="cancellation">As in <see cref="AiFeedback"/> and the stages' trainers.</param>
    /// <exception cref="ArgumentException">There is no way to keep the first policy as a reference; or data or options do not fit, as the
    /// stages' trainers say.</exception>
    /// <exception cref="InvalidOperationException">The judge gave no verdict at all, or an impossible one.</exception>
    public static async IAsyncEnumerable<RlaifReport> RunAsync(
        CausalLm policy,
        SequenceClassifier rewardModel,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        PairJudge judge,
        RlaifOptions? options = null,
        IReadOnlyList<Problem>? evaluation = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        options ??= new RlaifOptions();
        if (options.Reference is null && policy is not Decoder { HasAdapter: false })
            throw new ArgumentException(
                $"the policy is a {policy.GetType().Name}, expected a {nameof(Decoder)} without adapters, which can be copied, or {nameof(RlaifOptions)}.{nameof(RlaifOptions.Reference)}",
                nameof(options)
            );
        var watch = Stopwatch.StartNew();
        var pairs = new List<PreferencePair>();
        long batches = 0;
        await foreach (
            var batch in AiFeedback.CollectAsync(policy, tokenizer, problems, judge, options.Feedback, cancellation).ConfigureAwait(false)
        )
        {
            pairs.AddRange(batch.Pairs);
            yield return new RlaifReport(
                RlaifStage.Feedback,
                new StepReport(++batches, double.NaN, Metrics(batch, pairs.Count), watch.Elapsed)
            );
        }
        if (pairs.Count == 0)
            throw new InvalidOperationException(
                $"the judge gave no verdict on any of {problems.Count * options.Feedback.PairsPerProblem} pairs, expected at least one"
            );

        using (var trainer = new RewardTrainer(rewardModel, tokenizer, options.RewardModel))
            foreach (var step in trainer.Run(pairs, cancellation: cancellation))
                yield return new RlaifReport(RlaifStage.RewardModel, step);

        using var copy = options.Reference is null ? ((Decoder)policy).Copy() : null;
        using (
            var trainer = new GrpoTrainer(
                policy,
                tokenizer,
                LearnedRewards.Outcome(rewardModel, tokenizer),
                options.Policy with
                {
                    Reference = copy ?? options.Reference!(policy),
                }
            )
        )
            await foreach (var step in trainer.RunAsync(problems, evaluation, cancellation).ConfigureAwait(false))
                yield return new RlaifReport(RlaifStage.Policy, step);
    }

    private static Dictionary<string, double> Metrics(AiFeedbackBatch batch, int pairs)
    {
        var metrics = new Dictionary<string, double>
        {
            ["feedback/pairs"] = pairs,
            ["feedback/same"] = batch.Same,
            ["feedback/without_verdict"] = batch.WithoutVerdict,
        };
        if (batch.Pairs.Count > 0)
            metrics["feedback/confidence"] = batch.Pairs.Average(pair => pair.Probability);
        return metrics;
    }
}
