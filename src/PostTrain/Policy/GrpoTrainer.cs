using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy.Grouped;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Policy optimisation without a critic: samples several completions of each prompt and makes those more likely that were rewarded
/// above their baseline.</summary>
/// <remarks>
/// <para>DeepSeekMath, arXiv:2402.03300, algorithm 1, without the outer loop that retrains the reward model, and its relatives: the
/// method is <see cref="GrpoOptions.Objective"/>. Advantages, masks and denominators are those of the whole batch, so that loss, gradient
/// and metrics do not depend
/// on how it is cut into micro-batches. Surrogates that look at a batch's covariances (Clip-Cov, KL-Cov) are refused together with what
/// would cut it.</para>
/// <para>Metrics besides those of <see cref="RolloutTrainer"/>: <c>entropy</c>, <c>policy/clip_fraction</c>, <c>policy/old_kl</c> (nats a
/// token); with a reference <c>kl</c>; with <see cref="GrpoOptions.Kl"/> <c>kl/coefficient</c> and <c>kl/completion</c> (nats a completion,
/// what the control follows); with <see cref="GrpoOptions.Entropy"/> <c>entropy/coefficient</c> (used in this step); with dynamic sampling
/// <c>sampling/draws</c> and <c>sampling/efficiency</c> (share of drawn groups whose rewards differ); with replay <c>replay/groups</c>
/// (used in this step) and <c>replay/size</c>; <c>policy/updates</c> (with a target KL), <c>policy/learnt_tokens</c> (share, with a token
/// selection), <c>policy/importance_weight</c>, <c>reward/overlong</c>, <c>reward/greedy</c>; <c>policy/zero_advantages</c> (1 in a step
/// whose single completion or token was standardised to 0, absent in others).</para>
/// </remarks>
public sealed class GrpoTrainer : RolloutTrainer
{
    private readonly ReferencePolicy? reference;
    private readonly GrpoOptions options;
    private readonly GrpoState state;

    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">The model to stay near to, or only to measure the distance from; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">Options contradict each other, or a KL term has no reference.</exception>
    public GrpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, GrpoOptions options, ReferencePolicy? reference = null)
        : this(
            policy,
            tokenizer,
            reward,
            options,
            reference,
            options is null || policy is null ? null! : new GrpoState(options, policy.InputVocabularySize)
        ) { }

    private GrpoTrainer(
        CausalLm policy,
        ITokenizer tokenizer,
        IReward reward,
        GrpoOptions options,
        ReferencePolicy? reference,
        GrpoState state
    )
        : base(policy, tokenizer, reward, options, state: state)
    {
        if (reference is null && (options.Objective.Beta > 0 || options.Kl is not null))
        {
            string what = options.Kl is null ? $"Beta is {options.Objective.Beta}" : "Kl is given";
            throw new ArgumentException(
                $"{what} and there is no reference model, expected one to take the divergence from",
                nameof(reference)
            );
        }
        (this.options, this.reference, this.state) = (options, reference, state);
    }

    /// <summary>Where a batch is used for one update, the update's own pass gives the log-probs of the policy that drew it, and no other
    /// pass is needed.</summary>
    private protected override SamplingOptions Sampling =>
        options.UsesBatchOnce && options.Correction is null ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    private protected override Task<Experience> CollectAsync(QuestionSource source, StepClock clock, CancellationToken cancellation) =>
        new GroupCollection(
            options,
            (asked, draw) => DrawAsync(asked, draw, clock, cancellation),
            asked => DrawGreedyAsync(asked, clock, cancellation)
        ).CollectAsync(source);

    private protected override UpdateReport Learn(Experience experience, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var drawn = (GroupExperience)experience;
        var fresh = drawn.Blocks();
        var (blocks, replayed) = WithReplay(fresh, drawn.Scores.Values.Length / options.GroupSize);
        var batch = new StepBatch(blocks, options.MicroBatchSize);
        var referenceLogProbs = reference?.Ask(model => batch.Ask(rows => CompletionScores.Of(model, rows, Sampling).LogProbs));
        if (reference is not null)
            clock.Book("reference");
        var signal = LearningSignal.Of(batch, referenceLogProbs, () => Entropies(batch), state, options, metrics);
        if (drawn.GreedyMean is { } greedy)
            metrics["reward/greedy"] = greedy;
        if (options.DynamicSampling is not null)
            (metrics["sampling/draws"], metrics["sampling/efficiency"]) = (drawn.Draws, drawn.Efficiency);

        // Worked out before the first update: what it refuses must not leave half a step.
        var nextKl = NextKl(batch, signal, metrics);
        var means = new MetricMeans();
        var report = Update(batch, signal, means, metrics);
        means.AddTo(metrics);
        Advance(signal, nextKl, fresh, replayed, metrics);
        return report;
    }

    /// <inheritdoc/>
    private protected override void Dispose(bool disposing)
    {
        state.Dispose();
        base.Dispose(disposing);
    }

    private UpdateReport Update(StepBatch batch, LearningSignal signal, MetricMeans means, Dictionary<string, double> metrics)
    {
        var report = default(UpdateReport);
        for (int update = 1; update <= options.UpdatesPerBatch; update++)
        {
            var drift = new MetricMeans();
            report = Session.Optimization.Update(batch.Parts.Count, part => Loss(batch.Parts[part], signal, means, drift));
            if (options.TargetKl is not { } target)
                continue;
            metrics["policy/updates"] = update;
            var measured = new Dictionary<string, double>();
            drift.AddTo(measured);
            if (KlControl.ShouldStop(measured.GetValueOrDefault("policy/old_kl"), target))
                break;
        }
        return report;
    }

    private Tensor Loss(BatchPart part, LearningSignal signal, MetricMeans means, MetricMeans drift)
    {
        var scores = CompletionScores.Of(Policy, part.Rows, Sampling);
        var (mask, advantages) = (part.Of(signal.Mask), part.Of(signal.Advantages));
        double tokens = mask.sum().ToDouble();
        var oldLogProbs = options.UsesBatchOnce ? scores.LogProbs.detach() : part.Rows.LogProbs;
        var weights = signal.Weights is { } chosen ? part.Of(chosen) : null;
        if (options.Tokens.OffPolicyThreshold is { } threshold)
        {
            var near = CompletionMasks
                .OnPolicySequences(scores.LogProbs, oldLogProbs, advantages, mask, threshold)
                .unsqueeze(1)
                .expand_as(mask);
            weights = weights is null ? near : weights * near;
        }
        var entropy = TokenLogProbs.Entropy(signal.Objective.EntropyCoefficient > 0 ? scores.Logits : scores.Logits.detach());
        var loss = signal.Objective.Loss(
            new PolicyBatch(scores.LogProbs, oldLogProbs, advantages, mask)
            {
                ReferenceLogProbs = signal.ReferenceLogProbs is { } all ? part.Of(all) : null,
                Entropy = entropy,
                Weights = weights,
                ImportanceWeights = signal.ImportanceWeights is { } correction ? part.Of(correction) : null,
            },
            signal.Denominators
        );
        means.Add("policy/clip_fraction", loss.ClipFraction, tokens);
        means.Add("policy/old_kl", loss.OldKl, tokens);
        drift.Add("policy/old_kl", loss.OldKl, tokens);
        means.Add("entropy", Masked.Mean(entropy.detach(), mask), tokens);
        if (signal.ReferenceLogProbs is not null)
            means.Add("kl", loss.Kl, tokens);
        return loss.Loss;
    }

    // The policy as it drew: without dropout.
    private Tensor Entropies(StepBatch batch)
    {
        Policy.eval();
        var entropies = batch.Ask(rows => TokenLogProbs.Entropy(CompletionScores.Of(Policy, rows, Sampling).Logits));
        Policy.train();
        return entropies;
    }

    // Groups that teach nothing leave for as many that were kept, so that the batch stays as large as it was meant to be.
    private (IReadOnlyList<GroupBlock> Blocks, IReadOnlyList<ReplayEntry> Replayed) WithReplay(
        IReadOnlyList<GroupBlock> fresh,
        int drawnGroups
    )
    {
        if (state.Replay is null)
            return (fresh, []);
        int teaching = fresh.Sum(block => Enumerable.Range(0, block.Groups).Count(block.Teaches));
        int wanted = Math.Max(Math.Min(options.BatchSize, drawnGroups), fresh.Sum(block => block.Groups)) - teaching;
        var replayed = state.Replay.Take(wanted, Session.Step);
        int idle = Math.Max(0, wanted - replayed.Count);
        var blocks = new List<GroupBlock>();
        foreach (var block in fresh)
        {
            int[] stay = [.. Enumerable.Range(0, block.Groups).Where(group => block.Teaches(group) || idle-- > 0)];
            if (stay.Length > 0)
                blocks.Add(block.Select(stay));
        }
        return ([.. blocks, .. replayed.Select(entry => entry.Block)], replayed);
    }

    private KlControl? NextKl(StepBatch batch, LearningSignal signal, Dictionary<string, double> metrics)
    {
        if (state.Kl is not { } kl)
            return null;
        double divergence = LearningSignal.Divergence(batch, signal.ReferenceLogProbs!);
        (metrics["kl/coefficient"], metrics["kl/completion"]) = (kl.Coefficient, divergence);
        return kl.Next(divergence, batch.RowCount);
    }

    // Last of all: a step that fails before has changed nothing.
    private void Advance(
        LearningSignal signal,
        KlControl? nextKl,
        IReadOnlyList<GroupBlock> fresh,
        IReadOnlyList<ReplayEntry> replayed,
        Dictionary<string, double> metrics
    )
    {
        state.Kl = nextKl;
        if (signal.MeanEntropy is { } entropy)
            state.Entropy = state.Entropy?.Next(entropy);
        if (state.Replay is not { } replay)
            return;
        replay.Advance(replayed, fresh, Session.Step);
        (metrics["replay/groups"], metrics["replay/size"]) = (replayed.Count, replay.Count);
    }
}
