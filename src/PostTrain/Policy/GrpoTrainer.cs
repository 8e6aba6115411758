using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Grouped;
using PostTrain.Policy.Losses;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Policy optimisation without a critic: samples several completions per prompt and makes those more likely whose rewards are
/// above their baseline.</summary>
/// <remarks>
/// <para>DeepSeekMath, arXiv:2402.03300, algorithm 1, without the outer loop that retrains the reward model, and its relatives: <see
/// cref="GrpoOptions.Objective"/> selects the method. Advantages, masks and denominators are those of the whole batch, so loss, gradient
/// and metrics do not depend on the micro-batches. Surrogates of batch covariances (Clip-Cov, KL-Cov) cannot be combined with options that
/// split the batch.</para>
/// <para>Metrics in addition to those of <see cref="RolloutTrainer"/>: <c>entropy</c>, <c>policy/clip_fraction</c>, <c>policy/old_kl</c>
/// (nats per token); with a reference <c>kl</c>; with <see cref="GrpoOptions.Kl"/> <c>kl/coefficient</c> and <c>kl/completion</c> (nats per
/// completion, the input of the control); with <see cref="GrpoOptions.Entropy"/> <c>entropy/coefficient</c> (used in this step); with
/// dynamic sampling <c>sampling/draws</c> and <c>sampling/efficiency</c> (share of sampled groups whose rewards differ); with replay
/// <c>replay/groups</c> (used in this step) and <c>replay/size</c>; <c>policy/updates</c> (with a target KL), <c>policy/learnt_tokens</c>
/// (share, with a token selection), those of <see cref="ImportanceCorrection.Apply"/> as <c>correction/NAME</c>, <c>reward/overlong</c>,
/// <c>reward/greedy</c>;
/// <c>policy/zero_advantages</c> (1 in a step whose single completion or token was standardised to 0, absent in others).</para>
/// </remarks>
public sealed class GrpoTrainer : RolloutTrainer
{
    private readonly GrpoOptions options;
    private readonly GrpoState state;

    /// <summary>Checks the options and makes the optimiser.</summary>
    /// <param name="policy">Model that draws; its parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Options, with the reference model if there is one.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">Options contradict each other, or a KL term has no reference.</exception>
    public GrpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, GrpoOptions options)
        : base(policy, tokenizer, reward ?? throw new ArgumentNullException(nameof(reward)), options)
    {
        this.options = options;
        state = new GrpoState(options, policy.InputVocabularySize);
    }

    /// <inheritdoc/>
    protected override ITrainerState State => state;

    /// <summary>Sampling of a step. If a batch is used for one update, the update's own pass gives the log-probs of the sampling policy,
    /// and no further pass is needed.</summary>
    protected override SamplingOptions Sampling =>
        options.UsesBatchOnce && options.Correction is null ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    /// <inheritdoc/>
    protected override async Task<UpdateReport> UpdateAsync(RolloutStep current)
    {
        ArgumentNullException.ThrowIfNull(current);
        var draws = await DrawGroupsAsync(current).ConfigureAwait(false);
        var greedy = new List<double>();
        if (options.Objective.Advantage!.NeedsGreedy)
            greedy.AddRange(await GreedyRewardsAsync(current, [.. draws.SelectMany(KeptPrompts)]).ConfigureAwait(false));
        return Learn(current, draws, greedy);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        state.Dispose();
        base.Dispose(disposing);
    }

    // One draw with all its groups, or draws until enough groups have unequal rewards.
    private async Task<List<(JudgedRollouts Drawn, int[] Kept)>> DrawGroupsAsync(RolloutStep step)
    {
        bool filters = step.Prompts.IsStream && options.DynamicSampling is not null;
        int most = filters ? options.DynamicSampling!.MaxDraws : 1,
            missing = options.BatchSize;
        var draws = new List<(JudgedRollouts Drawn, int[] Kept)>();
        while (draws.Count < most && missing > 0)
        {
            var drawn = await DrawAsync(step, step.Prompts.Take(options.BatchSize), draws.Count).ConfigureAwait(false);
            var rewards = drawn.Scores.Values.Chunk(options.GroupSize).ToArray();
            var groups = Enumerable.Range(0, rewards.Length);
            int[] kept = [.. filters ? groups.Where(group => RolloutGroups.HasSignal(rewards[group])).Take(missing) : groups];
            draws.Add((drawn, kept));
            missing -= kept.Length;
        }
        // Without any such group the first draw is used.
        if (draws.All(draw => draw.Kept.Length == 0))
            draws[0] = (draws[0].Drawn, [.. Enumerable.Range(0, draws[0].Drawn.Completions.Count / options.GroupSize)]);
        return draws;
    }

    private IEnumerable<TokenizedPrompt> KeptPrompts((JudgedRollouts Drawn, int[] Kept) draw) =>
        draw.Kept.Select(group => draw.Drawn.Prompts[group * options.GroupSize]);

    private UpdateReport Learn(RolloutStep step, List<(JudgedRollouts Drawn, int[] Kept)> draws, List<double> greedy)
    {
        using var scope = NewDisposeScope();
        var metrics = step.Metrics;
        var scores = step.Scores;
        var fresh = FreshGroups(draws, scores.Components.Keys, greedy);
        var (groups, replayed) = WithReplay(fresh, scores.Values.Length / options.GroupSize);
        var batch = new GrpoBatch(groups, options.MicroBatchSize, Ranks);
        var reference = options.Reference?.Ask(model => batch.Ask(rows => CompletionScores.LogProbsOf(model, rows, Sampling)));
        if (reference is not null)
            step.Book("reference");

        // The inputs of the updates, computed once for the whole batch.
        var mask = options.Tokens.DropUnfinished ? CompletionMasks.WithoutUnfinished(batch.Mask, batch.Finished) : batch.Mask;
        var entropies = options.Tokens.TopEntropy < 1 || state.Entropy is { Target: not null, Lagged: false } ? Entropies(batch) : null;
        double? meanEntropy = entropies is null ? null : Masked.Mean(entropies, batch.Mask).ToDouble();
        var objective = ObjectiveOfStep(meanEntropy, metrics);
        var corrected = options.Correction?.Apply(batch.LogProbs, batch.DrawnLogProbs, mask);
        if (corrected is not null)
        {
            mask = corrected.Mask;
            corrected.AddTo(metrics);
        }
        var weights = options.Tokens.TopEntropy < 1 ? CompletionMasks.TopEntropy(entropies!, mask, options.Tokens.TopEntropy) : null;
        if (options.Tokens is { DropUnfinished: true } or { TopEntropy: < 1 } || options.Correction is { Rejections.Count: > 0 })
            metrics["policy/learnt_tokens"] = Count(weights ?? mask) / Count(batch.Mask);
        var advantages = batch.Advantages(reference, state.Kl?.Coefficient, options, metrics);
        var whole = new PolicyBatch(batch.LogProbs, batch.LogProbs, advantages, mask)
        {
            ReferenceLogProbs = reference,
            Weights = weights,
            ImportanceWeights = corrected?.Weights,
        };
        if (greedy.Count > 0)
            metrics["reward/greedy"] = greedy.Average();
        if (options.DynamicSampling is not null)
        {
            var drawn = scores.Values.Chunk(options.GroupSize).ToArray();
            metrics["sampling/draws"] = draws.Count;
            metrics["sampling/efficiency"] = drawn.Count(group => RolloutGroups.HasSignal(group)) / (double)drawn.Length;
        }

        // Computed before the first update: an error must not leave half a step.
        var nextKl = NextKl(batch, reference, metrics);
        var report = Update(batch, objective, whole, metrics);

        // Last: a step that fails earlier has changed nothing.
        state.Kl = nextKl;
        if (state.Entropy is { Target: not null } control)
        {
            state.LastEntropy = control.Lagged ? metrics["entropy"] : meanEntropy!.Value;
            state.Entropy = control.Next(state.LastEntropy);
        }
        if (state.Replay is { } replay)
        {
            replay.Advance(replayed, fresh, StepsDone);
            (metrics["replay/groups"], metrics["replay/size"]) = (replayed.Count, replay.Count);
        }
        return report;
    }

    private UpdateReport Update(GrpoBatch batch, PolicyObjective objective, PolicyBatch whole, Dictionary<string, double> metrics)
    {
        var denominators = objective.Denominators(whole.Mask);
        var means = new MetricMeans();
        var report = default(UpdateReport);
        for (int update = 1; update <= options.UpdatesPerBatch; update++)
        {
            var current = new Round(objective, denominators, means, new MetricMeans());
            report = Optimization.Update(
                batch.Parts.Count,
                part =>
                {
                    var (rows, start) = batch.Parts[part];
                    return Loss(rows, whole.Part(start, rows.Count, rows.CompletionMask.shape[1]), current);
                },
                means,
                current.Drift
            );
            if (options.TargetKl is not { } target)
                continue;
            metrics["policy/updates"] = update;
            if (KlControl.ShouldStop(current.Drift.Of("policy/old_kl") ?? 0, target))
                break;
        }
        means.AddTo(metrics);
        return report;
    }

    private Tensor Loss(RolloutRows rows, PolicyBatch part, Round update)
    {
        // Recorded log-probs are those of all logits at once, to the last bit.
        if (!options.UsesBatchOnce || update.Objective.Surrogate.ComparesSequences)
            return Share(CompletionScores.Of(Policy, rows, Sampling), rows, part, update);
        long columns = rows.CompletionMask.size(1);
        return CompletionScores.Loss(
            Policy,
            rows,
            Sampling,
            (scores, start, count) => Share(scores, rows.Part(start, count), part.Part(start, count, columns), update)
        );
    }

    private Tensor Share(CompletionScores scores, RolloutRows rows, PolicyBatch part, Round update)
    {
        var (objective, denominators, means, drift) = update;
        double tokens = part.Mask.sum().ToDouble();
        var entropy = TokenLogProbs.Entropy(objective.EntropyCoefficient > 0 ? scores.Logits : scores.Logits.detach());
        part = part with
        {
            LogProbs = scores.LogProbs,
            OldLogProbs = options.UsesBatchOnce ? scores.LogProbs.detach() : rows.LogProbs,
            Entropy = entropy,
        };
        if (options.Tokens.OffPolicyThreshold is { } threshold)
        {
            var near = CompletionMasks
                .OnPolicySequences(part.LogProbs, part.OldLogProbs, part.Advantages, part.Mask, threshold)
                .unsqueeze(1)
                .expand_as(part.Mask);
            part = part with { Weights = part.Weights is null ? near : part.Weights * near };
        }
        var loss = objective.Loss(part, denominators);
        means.Add("policy/clip_fraction", loss.ClipFraction, tokens);
        means.Add("policy/old_kl", loss.OldKl, tokens);
        drift.Add("policy/old_kl", loss.OldKl, tokens);
        means.Add("entropy", Masked.Mean(entropy.detach(), part.Mask), tokens);
        if (part.ReferenceLogProbs is not null)
            means.Add("kl", loss.Kl, tokens);
        return loss.Loss;
    }

    // The objective with the weights β and c of this step.
    private PolicyObjective ObjectiveOfStep(double? meanEntropy, Dictionary<string, double> metrics)
    {
        double bonus = options.Objective.EntropyCoefficient;
        if (state.Entropy is { } control)
        {
            bonus = control.Weight(control.Lagged ? state.LastEntropy : meanEntropy ?? 0);
            metrics["entropy/coefficient"] = bonus;
        }
        return options.Objective with
        {
            Beta = options.Kl is { InReward: false } ? state.Kl!.Coefficient : options.Objective.Beta,
            EntropyCoefficient = bonus,
        };
    }

    // Evaluation mode: sampling ran without dropout.
    private Tensor Entropies(GrpoBatch batch)
    {
        Policy.eval();
        var entropies = batch.Ask(rows => TokenLogProbs.Entropy(CompletionScores.Of(Policy, rows, Sampling).Logits));
        Policy.train();
        return entropies;
    }

    private List<RolloutGroups> FreshGroups(
        List<(JudgedRollouts Drawn, int[] Kept)> draws,
        IEnumerable<string> components,
        List<double> greedy
    )
    {
        var fresh = new List<RolloutGroups>();
        int before = 0;
        foreach (var (drawn, kept) in draws)
        {
            if (kept.Length == 0)
                continue;
            var groups = RolloutGroups.Of(drawn, options.GroupSize, kept, components);
            fresh.Add(greedy.Count == 0 ? groups : groups with { GreedyRewards = [.. greedy.Skip(before).Take(kept.Length)] });
            before += kept.Length;
        }
        return fresh;
    }

    // Kept groups of earlier steps replace groups of equal rewards, so that the batch keeps its size.
    private (IReadOnlyList<RolloutGroups> Groups, IReadOnlyList<ReplayEntry> Replayed) WithReplay(
        IReadOnlyList<RolloutGroups> fresh,
        int drawnGroups
    )
    {
        if (state.Replay is null)
            return (fresh, []);
        int signals = fresh.Sum(groups => Enumerable.Range(0, groups.Count).Count(groups.HasSignal));
        int wanted = Math.Max(Math.Min(options.BatchSize, drawnGroups), fresh.Sum(groups => groups.Count)) - signals;
        var replayed = state.Replay.Take(wanted, StepsDone);
        int idle = Math.Max(0, wanted - replayed.Count);
        var all = new List<RolloutGroups>();
        foreach (var groups in fresh)
        {
            int[] stay = [.. Enumerable.Range(0, groups.Count).Where(group => groups.HasSignal(group) || idle-- > 0)];
            if (stay.Length > 0)
                all.Add(groups.Select(stay));
        }
        return ([.. all, .. replayed.Select(entry => entry.Groups)], replayed);
    }

    private KlControl? NextKl(GrpoBatch batch, Tensor? reference, Dictionary<string, double> metrics)
    {
        if (state.Kl is not { } kl)
            return null;
        double divergence = batch.Divergence(reference!);
        (metrics["kl/coefficient"], metrics["kl/completion"]) = (kl.Coefficient, divergence);
        return kl.Next(divergence, batch.RowCount);
    }

    private static double Count(Tensor mask) => mask.to_type(ScalarType.Float64).sum().ToDouble();

    /// <summary>Inputs and means that the parts of an update share.</summary>
    /// <param name="Objective">With the weights β and c of the step.</param>
    /// <param name="Denominators">Of the whole batch.</param>
    /// <param name="Means">Metrics of all updates of the step.</param>
    /// <param name="Drift">Divergence of this update alone.</param>
    private sealed record Round(PolicyObjective Objective, PolicyDenominators Denominators, MetricMeans Means, MetricMeans Drift);
}
