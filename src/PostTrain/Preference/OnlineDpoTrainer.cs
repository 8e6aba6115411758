using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Online DPO: the policy writes the completions itself, a reward says which of two is the better, and DPO learns from the pair.
/// Also XPO and Nash-MD.</summary>
/// <remarks>
/// Losses: <see cref="PreferenceLosses.Dpo"/>, <see cref="PreferenceLosses.Xpo"/>, <see cref="PreferenceLosses.NashMd"/>. Prompts whose
/// completions have equal rewards teach DPO and XPO nothing and are left out; <c>reward/zero_groups</c> says how many. Nothing depends on
/// the micro-batch; losses that compare pairs with each other (AOT) are refused together with it. Metrics besides those of
/// <see cref="RolloutTrainer"/>: <c>kl</c> (mean log π − log π_ref of the policy's completions when drawn), and of DPO and XPO
/// <c>implicit_reward/chosen</c>, <c>implicit_reward/rejected</c>, <c>implicit_reward/margin</c>, <c>implicit_reward/accuracy</c>.
/// </remarks>
public sealed class OnlineDpoTrainer : RolloutTrainer
{
    private readonly ReferencePolicy reference;
    private readonly OnlineDpoOptions options;
    private readonly IReward judge;

    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions; only which is the better counts, but for Nash-MD, which takes differences as
    /// log-odds.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">A frozen model, or the policy without its adapter.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public OnlineDpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, OnlineDpoOptions options, ReferencePolicy reference)
        : base(policy, tokenizer, reward, options)
    {
        ArgumentNullException.ThrowIfNull(reference);
        this.reference = reference;
        this.options = options;
        judge = reward;
    }

    /// <summary>No loss here needs the log-probs of the policy that drew the completions, so no other pass records them.</summary>
    private protected override SamplingOptions Sampling => base.Sampling with { Recording = LogProbRecording.Drawn };

    private protected override Task<Experience> CollectAsync(QuestionSource source, StepClock clock, CancellationToken cancellation) =>
        options.Method is OnlineMethod.DpoMethod
            ? base.CollectAsync(source, clock, cancellation)
            : OpposedAsync(source.Take(options.BatchSize), clock, cancellation);

    private protected override UpdateReport Learn(Experience experience, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var rollouts = experience.Rollouts;
        var anchor = reference.Ask(model => CompletionScores.LogProbsOf(model, rollouts, Sampling, options.MicroBatchSize));
        clock.Book("reference");
        var duels = OnlineDuel.Of(experience.Scores.Values, options.GroupSize, options.Method);
        int size = Math.Max(1, (options.MicroBatchSize ?? int.MaxValue) / 2);
        OnlineDuel[][] parts = [.. duels.Chunk(size)];
        double denominator = duels.Sum(duel => duel.Weight) is > 0 and var all ? all : 1;
        // A stand-in counts for nothing, and any length will do.
        double length = duels.Sum(duel => duel.Weight * rollouts.Completions[duel.Chosen].Length) is > 0 and var tokens
            ? tokens / denominator
            : 1;
        var means = new MetricMeans();
        var report = default(UpdateReport);
        for (int update = 0; update < options.UpdatesPerBatch; update++)
            report = Session.Optimization.Update(
                parts.Length,
                part =>
                    options.Method is OnlineMethod.NashMdMethod
                        ? Nash(rollouts, anchor, parts[part], denominator)
                        : Pairs(rollouts, anchor, parts[part], denominator, length, means)
            );
        means.AddTo(metrics);
        // Of pairs of policy and opponent, the first is the policy's.
        using var mode = no_grad();
        var ratios = (rollouts.LogProbs - anchor).sum(1L).reshape(-1, options.GroupSize);
        metrics["kl"] = (options.Method is OnlineMethod.DpoMethod ? ratios : ratios.narrow(1, 0, 1)).mean().ToDouble();
        return report;
    }

    private Tensor Pairs(RolloutBatch rollouts, Tensor anchor, OnlineDuel[] duels, double denominator, double length, MetricMeans means)
    {
        var chosen = tensor(duels.Select(duel => (long)duel.Chosen).ToArray(), device: anchor.device);
        var rejected = tensor(duels.Select(duel => (long)duel.Rejected).ToArray(), device: anchor.device);
        var rows = rollouts.Rows(cat([chosen, rejected], 0));
        var scores = CompletionScores.Of(Policy, rows, Sampling).LogProbs;
        PairLogProbs Sums(Tensor values) =>
            PairLogProbs.Of(
                values.narrow(0, 0, duels.Length),
                values.narrow(0, duels.Length, duels.Length),
                rows.CompletionMask.narrow(0, 0, duels.Length),
                rows.CompletionMask.narrow(0, duels.Length, duels.Length)
            );
        var (policy, held) = (Sums(scores), Sums(anchor.index_select(0, cat([chosen, rejected], 0))));
        var weights = tensor(duels.Select(duel => duel.Weight).ToArray()).to(scores.dtype, scores.device);
        // Second in its pair is the reference's completion: an odd row.
        var loss =
            options.Method is OnlineMethod.XpoMethod xpo && duels[0].Weight > 0
                ? PreferenceLosses.Xpo(
                    policy,
                    held,
                    where(chosen.remainder(2).ne(0), policy.Chosen, policy.Rejected),
                    xpo.Alpha,
                    options.Objective,
                    denominator,
                    length
                )
                : PreferenceLosses.Dpo(policy, held, options.Objective, weights, denominator, length);
        double counted = duels.Sum(duel => duel.Weight);
        means.Add("implicit_reward/chosen", loss.ChosenRewards.mean(), counted);
        means.Add("implicit_reward/rejected", loss.RejectedRewards.mean(), counted);
        means.Add("implicit_reward/margin", loss.Margins.mean(), counted);
        means.Add("implicit_reward/accuracy", loss.Accuracy, counted);
        return loss.Loss;
    }

    private Tensor Nash(RolloutBatch rollouts, Tensor anchor, OnlineDuel[] duels, double denominator)
    {
        var indices = tensor(duels.Select(duel => (long)duel.Chosen).ToArray(), device: anchor.device);
        var rows = rollouts.Rows(indices);
        var scores = CompletionScores.Of(Policy, rows, Sampling).LogProbs;
        var wins = tensor(duels.Select(duel => duel.WinProbability).ToArray()).to(scores.dtype, scores.device);
        return PreferenceLosses
            .NashMd(scores, anchor.index_select(0, indices), wins, rows.CompletionMask, options.Objective.Beta, false, denominator)
            .Loss;
    }

    // The policy's completion of each prompt beside its opponent's.
    private async Task<Experience> OpposedAsync(Question[] asked, StepClock clock, CancellationToken cancellation)
    {
        int[][] prompts = [.. asked.Select(question => question.Prompt)];
        Policy.eval();
        RolloutBatch rollouts;
        using (
            var own = Sampler.Generate(
                Policy,
                prompts,
                Sampling,
                CounterRandom.Bits(options.Seed, (ulong)Session.Step),
                Tokenizer,
                cancellation
            )
        )
        using (var other = Opponent(prompts, CounterRandom.Bits(options.Seed, (ulong)Session.Step, 1), cancellation))
            rollouts = own.Interleaved(other, Tokenizer.PaddingId);
        try
        {
            clock.Book("rollout");
            var completions = rollouts
                .Completions.Select((ids, i) => new Completion(asked[i / 2].Problem, Tokenizer.Decode(ids), ids, rollouts.Finished[i]))
                .ToArray();
            var scores = await Scoring
                .ScoreCheckedAsync(judge, completions, new RewardContext(Session.Step, options.Steps), cancellation)
                .ConfigureAwait(false);
            clock.Book("reward");
            return new Experience(rollouts, completions, scores);
        }
        catch
        {
            rollouts.Dispose();
            throw;
        }
    }

    private RolloutBatch Opponent(int[][] prompts, ulong seed, CancellationToken cancellation)
    {
        if (options.Method is not OnlineMethod.NashMdMethod { Coefficient: < 1 and var mixed })
            return reference.Ask(model => Sampler.Generate(model, prompts, Sampling, seed, Tokenizer, cancellation));
        if (mixed == 0)
            return Sampler.Generate(Policy, prompts, Sampling, seed, Tokenizer, cancellation);
        // Logits mix as log-probabilities do, but for a constant of each position. The reference reads the whole text again at each token:
        // it has no cache of its own.
        Tensor Mixture(Tensor scores, Tensor ids, Tensor mask)
        {
            var logits = reference.Ask(model => model.Project(model.Hidden(ids, mask).select(1, ids.shape[1] - 1)).AtLeastSingle());
            return scores * (1 - mixed) + logits * mixed;
        }
        var sampling = Sampling with { Processors = [.. Sampling.Processors, Mixture] };
        return Sampler.Generate(Policy, prompts, sampling, seed, Tokenizer, cancellation);
    }
}
