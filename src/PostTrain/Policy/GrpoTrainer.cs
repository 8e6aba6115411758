using System.Diagnostics;
using System.Runtime.CompilerServices;
using PostTrain.Data;
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
/// agg[−min(ρA, clip(ρ)A) + β·kl]. Metrics: <c>reward/mean</c>, <c>reward/std</c>, <c>reward/NAME</c> of each component,
/// <c>reward/zero_groups</c> (share of groups whose rewards are all equal and give no gradient), <c>completion/length</c>, <c>completion/finished</c>,
/// <c>entropy</c>, <c>kl</c> (with a reference), <c>policy/clip_fraction</c>, <c>policy/old_kl</c>, <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c>.
/// </remarks>
public sealed class GrpoTrainer : IDisposable
{
    private readonly CausalLm policy;
    private readonly CausalLm? reference;
    private readonly ITokenizer tokenizer;
    private readonly IReward reward;
    private readonly GrpoOptions options;
    private readonly TrainingSession session;

    /// <param name="policy">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">The model to stay near to, or only to measure the distance from; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">Beta is above 0 and there is no reference.</exception>
    public GrpoTrainer(CausalLm policy, ITokenizer tokenizer, IReward reward, GrpoOptions options, CausalLm? reference = null)
    {
        if (options.Beta > 0 && reference is null)
            throw new ArgumentException($"Beta is {options.Beta} and there is no reference model, expected one to take the divergence from", nameof(reference));
        options.Sampling.Validate(policy.VocabularySize);
        this.policy = policy;
        this.tokenizer = tokenizer;
        this.reward = reward;
        this.options = options;
        this.reference = reference;
        session = new TrainingSession(policy, options, options.UpdatesPerBatch);
    }

    /// <summary>Goes on from a checkpoint (<see cref="Checkpoint.Latest"/>) of a run with the same options and problems.</summary>
    public void Resume(string checkpoint) => session.Resume(checkpoint);

    /// <summary>Trains step by step; each element is a step that is done.</summary>
    /// <param name="problems">What the policy is asked; at least one.</param>
    /// <param name="cancellation">Looked at between steps and while completions are drawn and judged; leaves a checkpoint of the last whole step
    /// (where a directory is given) and throws.</param>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The reward's answer is unusable: wrong count, NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public async IAsyncEnumerable<StepReport> RunAsync(IReadOnlyList<Problem> problems, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        if (problems.Count == 0) throw new ArgumentException("problems is empty, expected at least one problem", nameof(problems));
        var questions = Enumerable.Range(0, problems.Count).Select(index => Tokenize(problems, index)).ToArray();
        var order = new ShuffledOrder(questions.Length, options.Seed);
        session.Begin();
        while (session.Continues(cancellation))
        {
            var asked = Enumerable.Range(0, options.BatchSize).Select(i => questions[order[session.DataPosition + i]])
                .SelectMany(question => Enumerable.Repeat(question, options.GroupSize)).ToArray();
            StepReport report;
            try
            {
                report = await StepAsync(asked, cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                // Drawing and judging change nothing, so the run stands where the last step left it.
                session.Save();
                throw;
            }
            yield return report;
        }
    }

    /// <summary>Gives the optimiser's state back; the models stay with the caller.</summary>
    public void Dispose() => session.Dispose();

    // No dispose scope and no gradient mode may be open at the await: both belong to a thread.
    private async Task<StepReport> StepAsync(Question[] asked, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        using var rollouts = Sample(asked, cancellation);
        var completions = asked.Select((question, i) =>
            new Completion(question.Problem, tokenizer.Decode(rollouts.Completions[i]), rollouts.Completions[i], rollouts.Finished[i])).ToArray();
        var scores = await Scoring.ScoreCheckedAsync(reward, completions, new RewardContext(session.Step, options.Steps), cancellation).ConfigureAwait(false);
        var metrics = GrpoMetrics.Of(scores, completions, options.GroupSize);
        var update = Learn(rollouts, scores.Values, metrics);
        metrics["learning_rate"] = update.LearningRate;
        metrics["grad_norm"] = update.GradNorm;
        metrics["tokens_per_second"] = completions.Sum(completion => completion.Tokens.Length) / watch.Elapsed.TotalSeconds;
        session.DataPosition += options.BatchSize;
        return session.Complete(update.Loss, metrics);
    }

    private RolloutBatch Sample(Question[] asked, CancellationToken cancellation)
    {
        policy.eval();
        var prompts = asked.Select(question => question.Prompt).ToArray();
        ulong seed = CounterRandom.Bits(options.Seed, (ulong)session.Step);
        return Sampler.Generate(policy, prompts, options.Sampling.StoppingAt(tokenizer.EndOfSequenceId), seed, tokenizer.PaddingId, cancellation);
    }

    private UpdateReport Learn(RolloutBatch rollouts, double[] rewards, Dictionary<string, double> metrics)
    {
        using var scope = NewDisposeScope();
        var advantages = Advantages.GroupRelative(tensor(rewards), options.GroupSize, options.Scaling).to_type(rollouts.LogProbs.dtype);
        var referenceLogProbs = ReferenceLogProbs(rollouts);
        double denominator = options.Aggregation.Denominator(rollouts.CompletionMask);
        double tokens = rollouts.CompletionMask.sum().ToDouble();
        int rows = rewards.Length, size = options.MicroBatchSize ?? rows;
        var sums = new TokenMeans(tokens * options.UpdatesPerBatch);
        var report = default(UpdateReport);
        policy.train();
        for (int update = 0; update < options.UpdatesPerBatch; update++)
            report = session.Optimization.Update((rows + size - 1) / size, part =>
            {
                int start = part * size, count = Math.Min(size, rows - start);
                return Loss(rollouts.Rows(start, count), advantages.narrow(0, start, count), referenceLogProbs?.narrow(0, start, count), denominator, sums);
            });
        sums.AddTo(metrics);
        return report;
    }

    private Tensor Loss(RolloutRows part, Tensor advantages, Tensor? referenceLogProbs, double denominator, TokenMeans sums)
    {
        var scores = CompletionScores.Of(policy, part, options.Sampling);
        var loss = PolicyLosses.ClippedSurrogate(scores.LogProbs, part.LogProbs, advantages, part.CompletionMask, options.Clip, options.Aggregation, denominator);
        sums.Add("policy/clip_fraction", loss.ClipFraction, part.CompletionMask);
        sums.Add("policy/old_kl", loss.OldKl, part.CompletionMask);
        using (no_grad()) sums.Add("entropy", Masked.Mean(TokenLogProbs.Entropy(scores.Logits.detach()), part.CompletionMask), part.CompletionMask);
        if (referenceLogProbs is null) return loss.Loss;

        var kl = KlDivergence.Estimate(scores.LogProbs, referenceLogProbs, part.CompletionMask, options.KlEstimator);
        sums.Add("kl", Masked.Mean(kl.detach(), part.CompletionMask), part.CompletionMask);
        return options.Beta > 0 ? loss.Loss + options.Aggregation.Apply(kl, part.CompletionMask, denominator) * options.Beta : loss.Loss;
    }

    private Tensor? ReferenceLogProbs(RolloutBatch rollouts)
    {
        if (reference is null) return null;
        using var _ = no_grad();
        reference.eval();
        int rows = (int)rollouts.Ids.shape[0], size = options.MicroBatchSize ?? rows;
        using var scope = NewDisposeScope();
        var parts = Enumerable.Range(0, (rows + size - 1) / size)
            .Select(part => CompletionScores.Of(reference, rollouts.Rows(part * size, Math.Min(size, rows - part * size)), options.Sampling).LogProbs).ToArray();
        return cat(parts, 0).MoveToOuterDisposeScope();
    }

    private Question Tokenize(IReadOnlyList<Problem> problems, int index)
    {
        var prompt = tokenizer.Encode(problems[index].Prompt);
        if (prompt.Length == 0 || prompt.Length >= policy.ContextLength)
            throw new ArgumentException(
                $"problems[{index}] has a prompt of {prompt.Length} tokens, expected 1 to {policy.ContextLength - 1}, one less than the model's context", nameof(problems));
        return new Question(problems[index], prompt);
    }

    private readonly record struct Question(Problem Problem, int[] Prompt);
}
