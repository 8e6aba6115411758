using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Preference.Losses;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Online;

/// <summary>Online DPO: the policy writes the completions itself, a reward says which of two is the better, and DPO learns from the pair.
/// Also XPO and Nash-MD.</summary>
/// <remarks>
/// Losses: <see cref="PreferenceLosses.Dpo"/>, <see cref="PreferenceLosses.Xpo"/>, <see cref="PreferenceLosses.NashMd"/>. Prompts whose
/// completions have equal rewards give DPO and XPO no gradient and are left out; <c>reward/zero_groups</c> says how many. Nothing depends
/// on
/// the micro-batch; losses that compare pairs with each other (AOT) are refused together with it. Metrics besides those of
/// <see cref="RolloutTrainer"/>: <c>kl</c> (mean log π − log π_ref of the policy's completions when drawn), and of DPO and XPO
/// <c>implicit_reward/chosen</c>, <c>implicit_reward/rejected</c>, <c>implicit_reward/margin</c>, <c>implicit_reward/accuracy</c>.
/// </remarks>
public sealed class OnlineDpoTrainer : RolloutTrainer
{
    private readonly OnlineDpoOptions options;
    private readonly ReferencePolicy reference;

    /// <summary>Checks the options and makes the optimiser.</summary>
    /// <param name="policy">Model that draws; its parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions. DPO and XPO use the order of the rewards only; Nash-MD uses their differences as
    /// log-odds.</param>
    /// <param name="options">Options, with the reference model.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There is no reference model.</exception>
    public OnlineDpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, OnlineDpoOptions options)
        : base(policy, tokenizer, reward ?? throw new ArgumentNullException(nameof(reward)), options)
    {
        this.options = options;
        reference = options.Reference!;
    }

    /// <summary>No loss here needs the log-probs of the policy that drew the completions, so no other pass records them.</summary>
    protected override SamplingOptions Sampling => base.Sampling with { Recording = LogProbRecording.Drawn };

    /// <inheritdoc/>
    protected override async Task<UpdateReport> UpdateAsync(RolloutStep current)
    {
        ArgumentNullException.ThrowIfNull(current);
        var prompts = current.Prompts.Take(options.BatchSize);
        var drawn = await (options.Method.IsSelfPlay ? DrawAsync(current, prompts) : DrawOpposedAsync(current, prompts)).ConfigureAwait(
            false
        );
        return Learn(current, drawn);
    }

    private UpdateReport Learn(RolloutStep step, JudgedRollouts drawn)
    {
        using var scope = NewDisposeScope();
        var (rollouts, rewards) = (drawn.Rollouts, drawn.Scores.Values);
        var anchor = reference.Ask(model => SharedDraws.LogProbsOf(Ranks, model, rollouts, Sampling, options.MicroBatchSize));
        step.Book("reference");
        var pairs = OnlinePair.Of(rewards, options.GroupSize, options.Method);
        int size = Ranks.PartSize(pairs.Length, options.MicroBatchSize is { } rows ? Math.Max(1, rows / 2) : null);
        OnlinePair[][] parts = [.. pairs.Chunk(size)];
        double denominator = pairs.Sum(pair => pair.Weight) is > 0 and var all ? all : 1;
        // A stand-in counts for nothing, and any length will do.
        double length = pairs.Sum(pair => pair.Weight * rollouts.Completions[pair.Chosen].Length) is > 0 and var tokens
            ? tokens / denominator
            : 1;
        var means = new MetricMeans();
        var report = default(UpdateReport);
        for (int update = 0; update < options.UpdatesPerBatch; update++)
            report = Optimization.Update(
                parts.Length,
                part =>
                    options.Method is OnlineMethod.NashMdMethod
                        ? NashLoss(rollouts, anchor, parts[part], denominator)
                        : PairLoss(rollouts, anchor, rewards, parts[part], denominator, length, means),
                means
            );
        means.AddTo(step.Metrics);
        // Of pairs of policy and opponent, the first is the policy's.
        using var mode = no_grad();
        var ratios = (rollouts.LogProbs - anchor).sum(1L).reshape(-1, options.GroupSize);
        step.Metrics["kl"] = (options.Method.IsSelfPlay ? ratios : ratios.narrow(1, 0, 1)).mean().ToDouble();
        return report;
    }

    private Tensor PairLoss(
        RolloutBatch rollouts,
        Tensor anchor,
        double[] rewards,
        OnlinePair[] pairs,
        double denominator,
        double length,
        MetricMeans means
    )
    {
        var chosen = tensor(pairs.Select(pair => (long)pair.Chosen).ToArray(), device: anchor.device);
        var rejected = tensor(pairs.Select(pair => (long)pair.Rejected).ToArray(), device: anchor.device);
        var rows = rollouts.Rows(cat([chosen, rejected], 0));
        var scores = CompletionScores.Of(Policy, rows, Sampling).LogProbs;
        PairLogProbs Sums(Tensor values) =>
            PairLogProbs.Of(
                values.narrow(0, 0, pairs.Length),
                values.narrow(0, pairs.Length, pairs.Length),
                rows.CompletionMask.narrow(0, 0, pairs.Length),
                rows.CompletionMask.narrow(0, pairs.Length, pairs.Length)
            );
        var (policy, held) = (Sums(scores), Sums(anchor.index_select(0, cat([chosen, rejected], 0))));
        var weights = tensor(pairs.Select(pair => pair.Weight).ToArray()).to(scores.dtype, scores.device);
        // Second in its pair is the opponent's completion: an odd row.
        var ofOpponent = options.Method.IsSelfPlay ? zeros_like(chosen, dtype: ScalarType.Bool) : chosen.remainder(2).ne(0);
        var objective = options.Objective;
        if (options.Method is OnlineMethod.OwnMethod own)
        {
            Tensor Rewards(Func<OnlinePair, int> row) =>
                tensor(pairs.Select(pair => rewards[row(pair)]).ToArray()).to(scores.dtype, scores.device);
            var (better, worse) = (Rewards(pair => pair.Chosen), Rewards(pair => pair.Rejected));
            objective = objective with
            {
                Loss = DpoLoss.Of(
                    own.Name,
                    (given, beta) => own.Loss(new OnlinePairInputs(given, beta, better, worse, ofOpponent.logical_not()))
                ),
            };
        }
        var loss =
            options.Method is OnlineMethod.XpoMethod xpo && pairs[0].Weight > 0
                ? PreferenceLosses.Xpo(
                    policy,
                    held,
                    where(ofOpponent, policy.Chosen, policy.Rejected),
                    xpo.Alpha,
                    objective,
                    denominator,
                    length
                )
                : PreferenceLosses.Dpo(policy, held, objective, weights, denominator, length);
        double counted = pairs.Sum(pair => pair.Weight);
        means.Add("implicit_reward/chosen", loss.ChosenRewards.mean(), counted);
        means.Add("implicit_reward/rejected", loss.RejectedRewards.mean(), counted);
        means.Add("implicit_reward/margin", loss.Margins.mean(), counted);
        means.Add("implicit_reward/accuracy", loss.Accuracy, counted);
        return loss.Loss;
    }

    private Tensor NashLoss(RolloutBatch rollouts, Tensor anchor, OnlinePair[] pairs, double denominator)
    {
        var indices = tensor(pairs.Select(pair => (long)pair.Chosen).ToArray(), device: anchor.device);
        var rows = rollouts.Rows(indices);
        var scores = CompletionScores.Of(Policy, rows, Sampling).LogProbs;
        var wins = tensor(pairs.Select(pair => pair.WinProbability).ToArray()).to(scores.dtype, scores.device);
        return PreferenceLosses
            .NashMd(scores, anchor.index_select(0, indices), wins, rows.CompletionMask, options.Objective.Beta, false, denominator)
            .Loss;
    }

    // The policy's completion of each prompt beside its opponent's, which is always drawn in this process.
    private async Task<JudgedRollouts> DrawOpposedAsync(RolloutStep step, TokenizedPrompt[] prompts)
    {
        int[][] ids = [.. prompts.Select(prompt => prompt.Ids)];
        using var own = await SampleAsync(step, prompts, Seed(0)).ConfigureAwait(false);
        using var other = Opponent(ids, Seed(1), step.Cancellation);
        var both = own.Interleaved(other, Tokenizer.PaddingId);
        step.Book("rollout");
        return await JudgeAsync(step, both, [.. prompts.SelectMany(prompt => Enumerable.Repeat(prompt, 2))]).ConfigureAwait(false);
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
