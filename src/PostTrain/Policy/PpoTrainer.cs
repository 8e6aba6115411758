using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Policy.Critics;
using PostTrain.Policy.Losses;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Proximal policy optimisation: weights the tokens of completions by how much better they were than a critic expected.</summary>
/// <remarks>
/// <para>Schulman et al. 2017, arXiv:1707.06347; for language Ziegler et al. 2019, arXiv:1909.08593, and InstructGPT, arXiv:2203.02155. A
/// step: completions; r_t = −β·kl_t, token rewards, and the score at the last token; generalised advantages and returns from the critic's
/// values; then epochs of minibatches on L = <see cref="PpoOptions.Objective"/> + c·value loss + γ·cross-entropy of demonstrations.</para>
/// <para>Metrics in addition to those of <see cref="RolloutTrainer"/>: <c>reward/total</c> (mean sum of a completion's token rewards,
/// penalties included), <c>reward/NAME</c> of the token reward, <c>kl</c> (nats per token), <c>kl/sequence</c> (nats per completion),
/// <c>kl/coefficient</c> (these with a reference), <c>entropy</c>, <c>policy/loss</c>, <c>policy/clip_fraction</c>, <c>policy/old_kl</c>,
/// <c>policy/updates</c> (made in the step), <c>value/loss</c>, <c>value/clip_fraction</c>, <c>value/mean</c>, <c>value/return</c>,
/// <c>value/explained_variance</c> (absent if all returns are equal), <c>policy/zero_advantages</c> (1 in a step whose only token was
/// whitened to 0, absent in others), <c>ptx/loss</c>, <c>ptx/accuracy</c>, and <c>time/critic</c>; with <see cref="PpoOptions.Correction"/>
/// those of <see cref="ImportanceCorrection.Apply"/> as <c>correction/NAME</c>. Those of the policy's loss are absent during the critic's
/// warm-up.</para>
/// <para>If the critic shares the policy's body, one pass gives log-probs and values, in recording and in the update.</para>
/// </remarks>
public sealed class PpoTrainer : RolloutTrainer
{
    // Other values of this part of the seed are used by the draws of steps and evaluations.
    private const ulong OrderPlane = ulong.MaxValue - 1,
        DemonstrationPlane = ulong.MaxValue - 2;

    private readonly ActorCritic model;
    private readonly PpoState state;
    private readonly PpoOptions options;
    private readonly PtxTerm? demonstrations;

    /// <summary>Checks the options and makes the optimiser.</summary>
    /// <param name="policy">Model that draws; its parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges whole completions.</param>
    /// <param name="options">Options, with critic, reference model and token reward.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">A KL coefficient is above 0 and there is no reference; or the critic does not fit the
    /// policy.</exception>
    public PpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, PpoOptions options)
        : base(
            policy,
            tokenizer,
            reward ?? throw new ArgumentNullException(nameof(reward)),
            options,
            ActorCritic.Of(policy, options?.Critic, out var model)
        )
    {
        (this.model, this.options, state) = (model, options!, new PpoState(options!.Kl));
        if (options.Ptx is { } ptx)
        {
            demonstrations = new PtxTerm(policy, tokenizer, ptx, CounterRandom.Bits(options.Seed, DemonstrationPlane));
            Tell(nameof(ptx.Demonstrations), demonstrations.Notes);
        }
    }

    /// <summary>The critic that is trained with the policy: that of the options, or a head on the policy's body that the trainer created
    /// and disposes.</summary>
    public ValueHead Critic => model.Critic;

    /// <inheritdoc/>
    protected override ITrainerState State => state;

    /// <summary>Sampling of a step. With a shared body, the pass for the values also gives the log-probs.</summary>
    protected override SamplingOptions Sampling =>
        model.IsShared ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    private bool IsWarmingUp => StepsDone < options.CriticWarmupSteps;

    /// <inheritdoc/>
    protected override async Task<UpdateReport> UpdateAsync(RolloutStep current)
    {
        ArgumentNullException.ThrowIfNull(current);
        var drawn = await DrawAsync(current, current.Prompts.Take(options.BatchSize), tokenReward: options.TokenReward)
            .ConfigureAwait(false);
        return Learn(current, drawn);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (options.Critic is null)
            model.Critic.Dispose();
    }

    private UpdateReport Learn(RolloutStep step, JudgedRollouts drawn)
    {
        using var scope = NewDisposeScope();
        var (metrics, rollouts) = (step.Metrics, drawn.Rollouts);
        var mask = rollouts.CompletionMask;
        long rows = mask.shape[0];
        var (logProbs, states) = model.Record(rollouts, Sampling, options.MicroBatchSize, Ranks);
        if (options.KeepsSampler)
            logProbs = rollouts.LogProbs;
        step.Book("critic");
        var reference = options.Reference?.Ask(frozen => SharedDraws.LogProbsOf(Ranks, frozen, rollouts, Sampling, options.MicroBatchSize));
        if (reference is not null)
        {
            step.Book("reference");
            var kl = KlDivergence.Estimate(logProbs, reference, mask, options.KlEstimator);
            metrics["kl"] = Masked.Mean(kl, mask).ToDouble();
            metrics["kl/sequence"] = kl.sum().ToDouble() / rows;
            metrics["kl/coefficient"] = state.Kl.Coefficient;
        }
        var rewards = PpoRewards.Of(drawn, logProbs, reference, options, state.Kl.Coefficient);
        var (advantages, returns) = PpoRewards.Advantages(rewards, states, rollouts.Finished, mask, options);
        var values = states.narrow(1, 0, mask.shape[1]);
        if (options.WhitenAdvantages && mask.sum().ToDouble() == 1)
            metrics[ZeroAdvantages.Metric] = 1;
        metrics["reward/total"] = rewards.sum().ToDouble() / rows;
        if (drawn.TokenRewards is { } given)
            metrics[$"reward/{options.TokenReward!.Name}"] = given.Average(row => row.Sum());
        metrics["value/mean"] = Masked.Mean(values, mask).ToDouble();
        metrics["value/return"] = Masked.Mean(returns, mask).ToDouble();
        if (PpoRewards.ExplainedVariance(values, returns, mask) is { } explained)
            metrics["value/explained_variance"] = explained;

        // The optimiser skips parameters without a gradient, but an earlier run may have left zeros.
        if (IsWarmingUp)
            Policy.zero_grad();
        // Computed before the first update: an error must not leave half a step.
        var nextKl =
            !IsWarmingUp && metrics.TryGetValue("kl/sequence", out double divergence) ? state.Kl.Next(divergence, (int)rows) : state.Kl;
        var corrected = options.Correction?.Apply(logProbs, rollouts.DrawnLogProbs.to_type(logProbs.dtype), mask);
        corrected?.AddTo(metrics);
        var policy = new PolicyBatch(logProbs, logProbs, advantages, corrected?.Mask ?? mask)
        {
            ReferenceLogProbs = reference,
            ImportanceWeights = corrected?.Weights,
        };
        var report = Update(new Batch(rollouts.All with { LogProbs = logProbs }, policy, values, returns), metrics);
        state.Kl = nextKl;
        return report;
    }

    // Epochs of minibatches.
    private UpdateReport Update(Batch batch, Dictionary<string, double> metrics)
    {
        int minibatches = Math.Min(options.Minibatches, batch.Count),
            done = 0;
        var order = new ShuffledOrder(batch.Count, CounterRandom.Bits(options.Seed, OrderPlane, (ulong)StepsDone));
        var (means, ptx) = (new MetricMeans(), new MetricMeans());
        var report = default(UpdateReport);
        while (done < options.UpdatesPerBatch)
        {
            using var scope = NewDisposeScope();
            var (epoch, place) = Math.DivRem(done, minibatches);
            int start = batch.Count * place / minibatches,
                end = batch.Count * (place + 1) / minibatches;
            // In sampling order, an update's first pass gives the recorded log-probs to the bit.
            var minibatch =
                minibatches == 1
                    ? batch
                    : batch.Select([.. Enumerable.Range(start, end - start).Select(i => (long)order[(long)epoch * batch.Count + i])]);
            var drift = new MetricMeans();
            report = Update(minibatch, means, drift, ptx);
            done++;
            if (options.TargetKl is { } target && !IsWarmingUp && KlControl.ShouldStop(drift.Of("policy/old_kl") ?? 0, target))
                break;
        }
        means.AddTo(metrics);
        ptx.AddTo(metrics, "ptx/");
        metrics["policy/updates"] = done;
        return report;
    }

    // One optimiser step: the minibatch in parts, then demonstrations in parts.
    private UpdateReport Update(Batch minibatch, MetricMeans means, MetricMeans drift, MetricMeans ptx)
    {
        int size = Ranks.PartSize(minibatch.Count, options.MicroBatchSize),
            parts = (minibatch.Count + size - 1) / size;
        var denominators = options.Objective.Denominators(minibatch.Policy.Mask);
        // Rejected tokens are still the critic's.
        double tokens = LossAggregation.TokenMean.Denominator(minibatch.Rows.CompletionMask);
        Tensor Part(int part)
        {
            using var scope = NewDisposeScope();
            var rows = minibatch.Part((long)part * size, Math.Min(size, minibatch.Count - part * size));
            return Loss(rows, denominators, tokens, parts, means, drift).MoveToOuterDisposeScope();
        }
        if (IsWarmingUp || demonstrations is null)
            return Optimization.Update(parts, Part, means, drift);
        var shown = demonstrations.Batch(Optimization.Updates);
        int shownSize = Ranks.PartSize(shown.Rows, options.MicroBatchSize),
            shownParts = (shown.Rows + shownSize - 1) / shownSize;
        return Optimization.Update(
            parts + shownParts,
            part => part < parts ? Part(part) : demonstrations.Loss(shown, (part - parts) * shownSize, shownSize, shownParts, ptx),
            means,
            drift,
            ptx
        );
    }

    // Policy loss and value loss of some rows, as shares of the minibatch's.
    private Tensor Loss(Batch part, PolicyDenominators denominators, double tokens, int parts, MetricMeans means, MetricMeans drift)
    {
        double weight = LossAggregation.TokenMean.Denominator(part.Policy.Mask);
        if (IsWarmingUp)
            return ValueLoss(model.Values(part.Rows), part, tokens, parts, means);
        var scores = model.Score(part.Rows, Sampling);
        var objective = options.Objective;
        var entropy = TokenLogProbs.Entropy(objective.EntropyCoefficient > 0 ? scores.Logits : scores.Logits.detach());
        var loss = objective.Loss(
            part.Policy with
            {
                LogProbs = scores.LogProbs,
                ReferenceLogProbs = objective.Beta > 0 ? part.Policy.ReferenceLogProbs : null,
                Entropy = entropy,
            },
            denominators
        );
        means.AddShare("policy/loss", loss.Loss, parts);
        means.Add("policy/clip_fraction", loss.ClipFraction, weight);
        means.Add("policy/old_kl", loss.OldKl, weight);
        drift.Add("policy/old_kl", loss.OldKl, weight);
        means.Add("entropy", Masked.Mean(entropy.detach(), part.Policy.Mask), weight);
        return loss.Loss + ValueLoss(scores.Values, part, tokens, parts, means);
    }

    private Tensor ValueLoss(Tensor states, Batch part, double tokens, int parts, MetricMeans means)
    {
        var mask = part.Rows.CompletionMask;
        double weight = LossAggregation.TokenMean.Denominator(mask);
        var values = states.narrow(1, 0, mask.shape[1]).to_type(part.Returns.dtype);
        var loss = PolicyLosses.Value(values, part.Values, part.Returns, mask, options.ValueClip, LossAggregation.TokenMean, tokens);
        means.AddShare("value/loss", loss.Loss, parts);
        means.Add("value/clip_fraction", loss.ClipFraction, weight);
        return loss.Loss * options.ValueCoefficient;
    }

    // Rows with the inputs of policy and critic; tensors of the scope in which they were taken.
    private sealed record Batch(RolloutRows Rows, PolicyBatch Policy, Tensor Values, Tensor Returns)
    {
        internal int Count => Rows.Count;

        internal Batch Part(long start, long count) => Each(tensor => tensor.narrow(0, start, count));

        internal Batch Select(long[] rows)
        {
            using var index = tensor(rows, device: Rows.Ids.device);
            return Each(values => values.index_select(0, index));
        }

        private Batch Each(Func<Tensor, Tensor> of) => new(Rows.Each(of), Policy.Each(of), of(Values), of(Returns));
    }
}

/// <summary>PPO's state between steps: the coefficient of the KL penalty.</summary>
internal sealed class PpoState(KlControl kl) : Training.ITrainerState
{
    private const string Coefficient = "kl_coefficient";

    internal KlControl Kl { get; set; } = kl;

    public IReadOnlyDictionary<string, double> Values => new Dictionary<string, double> { [Coefficient] = Kl.Coefficient };

    public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [];

    public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
    {
        if (!values.TryGetValue(Coefficient, out double kept))
            throw new InvalidDataException($"the value {Coefficient} is missing, expected a number of at least 0");
        if (!(kept >= 0) || double.IsInfinity(kept))
            throw new InvalidDataException($"the value {Coefficient} is {kept}, expected a finite number of at least 0");
        if (tensors.Keys.FirstOrDefault() is { } surplus)
            throw new InvalidDataException($"tensor {surplus} belongs to nothing that this run keeps");
        Kl = Kl.At(kept);
    }
}
