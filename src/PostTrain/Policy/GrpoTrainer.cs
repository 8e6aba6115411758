using PostTrain.Data.Text;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Group-relative policy optimisation: samples several completions of each prompt and makes those that were rewarded above their group's mean more likely.</summary>
/// <remarks>
/// DeepSeekMath, arXiv:2402.03300, algorithm 1, without the outer loop that retrains the reward model. Loss:
/// agg[−min(ρA, clip(ρ)A) + β·kl]. Metrics besides those of <see cref="RolloutTrainer"/>: <c>entropy</c>, <c>kl</c> (with a reference),
/// <c>policy/clip_fraction</c>, <c>policy/old_kl</c>.
/// </remarks>
public sealed class GrpoTrainer : RolloutTrainer
{
    private readonly ReferencePolicy? reference;
    private readonly GrpoOptions options;

    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">The model to stay near to, or only to measure the distance from; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">Beta is above 0 and there is no reference.</exception>
    public GrpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, GrpoOptions options, ReferencePolicy? reference = null)
        : base(policy, tokenizer, reward, options)
    {
        if (options.Beta > 0 && reference is null)
            throw new ArgumentException($"Beta is {options.Beta} and there is no reference model, expected one to take the divergence from", nameof(reference));
        this.options = options;
        this.reference = reference;
    }

    /// <summary>Where a batch is used for one update, the update's own pass gives the log-probs of the policy that drew it, and no other pass is needed.</summary>
    private protected override SamplingOptions Sampling =>
        options.UpdatesPerBatch == 1 ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    private protected override UpdateReport Learn(Experience experience, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var rollouts = experience.Rollouts;
        var advantages = Advantages.GroupRelative(tensor(experience.Scores.Values), options.GroupSize, options.Scaling).to_type(rollouts.LogProbs.dtype);
        var referenceLogProbs = reference?.Ask(model => CompletionScores.LogProbsOf(model, rollouts, Sampling, options.MicroBatchSize));
        if (reference is not null) clock.Book("reference");
        double denominator = options.Aggregation.Denominator(rollouts.CompletionMask);
        int rows = experience.Completions.Count, size = options.MicroBatchSize ?? rows;
        var means = new MetricMeans();
        var report = default(UpdateReport);
        for (int update = 0; update < options.UpdatesPerBatch; update++)
            report = Session.Optimization.Update((rows + size - 1) / size, part =>
            {
                int start = part * size, count = Math.Min(size, rows - start);
                return Loss(rollouts.Rows(start, count), advantages.narrow(0, start, count), referenceLogProbs?.narrow(0, start, count), denominator, means);
            });
        means.AddTo(metrics);
        return report;
    }

    private Tensor Loss(RolloutRows part, Tensor advantages, Tensor? referenceLogProbs, double denominator, MetricMeans means)
    {
        var scores = CompletionScores.Of(Policy, part, Sampling);
        double tokens = part.CompletionMask.sum().ToDouble();
        var oldLogProbs = options.UpdatesPerBatch == 1 ? scores.LogProbs.detach() : part.LogProbs;
        var loss = PolicyLosses.ClippedSurrogate(scores.LogProbs, oldLogProbs, advantages, part.CompletionMask, options.Clip, options.Aggregation, denominator);
        means.Add("policy/clip_fraction", loss.ClipFraction, tokens);
        means.Add("policy/old_kl", loss.OldKl, tokens);
        using (no_grad()) means.Add("entropy", Masked.Mean(TokenLogProbs.Entropy(scores.Logits.detach()), part.CompletionMask), tokens);
        if (referenceLogProbs is null) return loss.Loss;

        var kl = KlDivergence.Estimate(scores.LogProbs, referenceLogProbs, part.CompletionMask, options.KlEstimator);
        means.Add("kl", Masked.Mean(kl.detach(), part.CompletionMask), tokens);
        return options.Beta > 0 ? loss.Loss + options.Aggregation.Apply(kl, part.CompletionMask, denominator) * options.Beta : loss.Loss;
    }
}
