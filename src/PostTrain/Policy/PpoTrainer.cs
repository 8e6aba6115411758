using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Proximal policy optimisation: completions are weighed with how much better they went, token by token, than a critic
/// expected.</summary>
/// <remarks>
/// <para>Schulman et al. 2017, arXiv:1707.06347; for language Ziegler et al. 2019, arXiv:1909.08593, and InstructGPT, arXiv:2203.02155. A
/// step: completions; r_t = −β·kl_t, token rewards, and the score at the last token; generalised advantages and returns of the critic's
/// values; then some epochs of minibatches on L = <see cref="PpoOptions.Objective"/> + c·value loss + γ·cross-entropy of
/// demonstrations.</para>
/// <para>Metrics besides those of <see cref="RolloutTrainer"/>: <c>reward/total</c> (mean sum of a completion's token rewards, penalties
/// included), <c>reward/NAME</c> of the token reward, <c>kl</c> (nats a token), <c>kl/sequence</c> (nats a completion),
/// <c>kl/coefficient</c> (these with a reference), <c>entropy</c>, <c>policy/loss</c>, <c>policy/clip_fraction</c>, <c>policy/old_kl</c>,
/// <c>policy/updates</c> (done in the step), <c>value/loss</c>, <c>value/clip_fraction</c>, <c>value/mean</c>, <c>value/return</c>,
/// <c>value/explained_variance</c> (absent where all returns are equal), <c>policy/zero_advantages</c> (1 in a step whose only token was
/// whitened to 0, absent in others), <c>ptx/loss</c>, <c>ptx/accuracy</c>, and <c>time/critic</c>.
/// Those of the policy's loss are absent in the critic's warm-up.</para>
/// <para>Where the critic shares the policy's body, one pass gives log-probs and values, in recording and in the update.</para>
/// </remarks>
public sealed class PpoTrainer : RolloutTrainer
{
    // Other numbers of the seed's plane are the steps' and the evaluations' draws.
    private const ulong OrderPlane = ulong.MaxValue - 1,
        DemonstrationPlane = ulong.MaxValue - 2;

    private readonly ActorCritic model;
    private readonly PpoState state;
    private readonly PpoOptions options;
    private readonly ReferencePolicy? reference;
    private readonly ITokenReward? tokenReward;
    private readonly PtxTerm? demonstrations;

    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="critic">Trained beside it: <see cref="ValueHead.For"/> on the policy's own body, or
    /// <see cref="ValueHead.WithOwnBody"/>. <see cref="TrainingOptions.LearningRateFactor"/> and checkpoints know its parameters as
    /// <c>critic.…</c>, the policy's as <c>policy.…</c>.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges whole completions.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">The model to stay near to, or only to measure the distance from; null for none.</param>
    /// <param name="tokenReward">Rewards single tokens, such as the ends of steps; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">A KL coefficient is above 0 and there is no reference; or the critic does not fit the
    /// policy.</exception>
    public PpoTrainer(
        CausalLm policy,
        ValueHead critic,
        ITokenizer tokenizer,
        IReward reward,
        PpoOptions options,
        ReferencePolicy? reference = null,
        ITokenReward? tokenReward = null
    )
        : this(ActorCritic.Of(policy, critic), tokenizer, reward, options, reference, tokenReward, new PpoState(options?.Kl!)) { }

    private PpoTrainer(
        ActorCritic model,
        ITokenizer tokenizer,
        IReward reward,
        PpoOptions options,
        ReferencePolicy? reference,
        ITokenReward? tokenReward,
        PpoState state
    )
        : base(model.Policy, tokenizer, reward, options, model, state)
    {
        if (reference is null && Math.Max(options.Kl.Coefficient, options.Objective.Beta) is > 0 and var coefficient)
            throw new ArgumentException(
                $"a KL coefficient is {coefficient} and there is no reference model, expected one to take the divergence from, or Kl = KlControl.Fixed(0)",
                nameof(reference)
            );
        (this.model, this.state, this.options, this.reference, this.tokenReward) = (model, state, options, reference, tokenReward);
        if (options.Ptx is { } ptx)
            demonstrations = new PtxTerm(model.Policy, tokenizer, ptx, CounterRandom.Bits(options.Seed, DemonstrationPlane));
    }

    /// <summary>On a shared body the pass for the values gives the log-probs too.</summary>
    private protected override SamplingOptions Sampling =>
        model.IsShared ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    private bool IsWarmingUp => Session.Step < options.CriticWarmupSteps;

    private protected override async Task<Experience> CollectAsync(QuestionSource source, StepClock clock, CancellationToken cancellation)
    {
        var experience = await base.CollectAsync(source, clock, cancellation).ConfigureAwait(false);
        if (tokenReward is null)
            return experience;
        try
        {
            experience.TokenRewards = await TokenReward
                .ScoreCheckedAsync(tokenReward, experience.Completions, new RewardContext(Session.Step, options.Steps), cancellation)
                .ConfigureAwait(false);
            clock.Book("reward");
            return experience;
        }
        catch
        {
            experience.Dispose();
            throw;
        }
    }

    private protected override UpdateReport Learn(Experience experience, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var batch = Prepare(experience, metrics, clock);
        // The optimiser passes over what has no gradient, and an earlier run may have left zeros.
        if (IsWarmingUp)
            Policy.zero_grad();
        // Worked out before the first update: what it refuses must not leave half a step.
        var next =
            !IsWarmingUp && metrics.TryGetValue("kl/sequence", out double divergence) ? state.Kl.Next(divergence, batch.Count) : state.Kl;
        var report = Update(batch, metrics);
        state.Kl = next;
        return report;
    }

    private PpoBatch Prepare(Experience experience, Dictionary<string, double> metrics, StepClock clock)
    {
        var rollouts = experience.Rollouts;
        var mask = rollouts.CompletionMask;
        long rows = mask.shape[0];
        var (logProbs, states) = model.Record(rollouts, Sampling, options.MicroBatchSize);
        clock.Book("critic");
        var referenceLogProbs = reference?.Ask(frozen => CompletionScores.LogProbsOf(frozen, rollouts, Sampling, options.MicroBatchSize));
        if (referenceLogProbs is not null)
        {
            clock.Book("reference");
            var kl = KlDivergence.Estimate(logProbs, referenceLogProbs, mask, options.KlEstimator);
            metrics["kl"] = Masked.Mean(kl, mask).ToDouble();
            metrics["kl/sequence"] = kl.sum().ToDouble() / rows;
            metrics["kl/coefficient"] = state.Kl.Coefficient;
        }
        var rewards = PpoRewards.Of(experience, logProbs, referenceLogProbs, options, state.Kl.Coefficient);
        var (advantages, returns) = PpoRewards.Advantages(rewards, states, rollouts.Finished, mask, options);
        var values = states.narrow(1, 0, mask.shape[1]);
        if (options.WhitenAdvantages && mask.sum().ToDouble() == 1)
            metrics[ZeroAdvantages.Metric] = 1;
        metrics["reward/total"] = rewards.sum().ToDouble() / rows;
        if (experience.TokenRewards is { } given)
            metrics[$"reward/{tokenReward!.Name}"] = given.Average(row => row.Sum());
        metrics["value/mean"] = Masked.Mean(values, mask).ToDouble();
        metrics["value/return"] = Masked.Mean(returns, mask).ToDouble();
        if (PpoRewards.ExplainedVariance(values, returns, mask) is { } explained)
            metrics["value/explained_variance"] = explained;
        return new PpoBatch(rollouts.Rows(0, rows) with { LogProbs = logProbs }, values, advantages, returns, referenceLogProbs);
    }

    private UpdateReport Update(PpoBatch batch, Dictionary<string, double> metrics)
    {
        int minibatches = Math.Min(options.Minibatches, batch.Count),
            done = 0;
        var order = new ShuffledOrder(batch.Count, CounterRandom.Bits(options.Seed, OrderPlane, (ulong)Session.Step));
        var (means, ptx) = (new MetricMeans(), new MetricMeans());
        var report = default(UpdateReport);
        while (done < options.UpdatesPerBatch)
        {
            using var scope = NewDisposeScope();
            var (epoch, place) = Math.DivRem(done, minibatches);
            int start = batch.Count * place / minibatches,
                end = batch.Count * (place + 1) / minibatches;
            // In the order in which they were drawn, an update's first pass gives the recorded log-probs to the bit.
            var minibatch =
                minibatches == 1
                    ? batch
                    : batch.Take([.. Enumerable.Range(start, end - start).Select(i => (long)order[(long)epoch * batch.Count + i])]);
            var update = new PpoUpdate(minibatch, model, options, Sampling, IsWarmingUp, means);
            report = Update(update, ptx);
            done++;
            if (options.TargetKl is { } target && !IsWarmingUp && KlControl.ShouldStop(update.OldKl, target))
                break;
        }
        means.AddTo(metrics);
        ptx.AddTo(metrics, "ptx/");
        metrics["policy/updates"] = done;
        return report;
    }

    private UpdateReport Update(PpoUpdate update, MetricMeans ptx)
    {
        if (IsWarmingUp || demonstrations is null)
            return Session.Optimization.Update(update.Parts, update.Loss);
        var batch = demonstrations.Batch(Session.Optimization.Updates);
        int size = options.MicroBatchSize ?? batch.Rows,
            parts = (batch.Rows + size - 1) / size;
        return Session.Optimization.Update(
            update.Parts + parts,
            part => part < update.Parts ? update.Loss(part) : demonstrations.Loss(batch, (part - update.Parts) * size, size, parts, ptx)
        );
    }
}
