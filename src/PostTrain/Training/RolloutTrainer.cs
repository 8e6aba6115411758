using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>A trainer that learns from completions which the policy draws itself: asking, sampling, judging, learning, reporting.</summary>
/// <remarks>
/// Metrics of every such trainer: <c>reward/mean</c>, <c>reward/std</c>, <c>reward/NAME</c> of each component, <c>reward/zero_groups</c>
/// (share of groups whose rewards are all equal; not for groups of one), <c>completion/length</c>, <c>completion/finished</c>,
/// <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c> (of completions), and where the time went, in seconds:
/// <c>time/rollout</c>, <c>time/reward</c>, <c>time/reference</c>, <c>time/update</c>, <c>time/evaluation</c>. An evaluation adds the first
/// five under <c>eval/</c>.
/// </remarks>
public abstract class RolloutTrainer : IDisposable
{
    private readonly IReward reward;
    private readonly RolloutOptions options;

    /// <param name="policy">Draws completions and is trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="trained">What is trained, where that is more than the policy, such as a critic beside it.</param>
    /// <param name="state">What the trainer keeps in checkpoints.</param>
    private protected RolloutTrainer(
        CausalLm policy,
        ITokenizer tokenizer,
        IReward reward,
        RolloutOptions options,
        nn.Module? trained = null,
        ITrainerState? state = null
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(options);
        options.Sampling.Validate(policy.VocabularySize);
        Policy = policy;
        Tokenizer = tokenizer;
        this.reward = reward;
        this.options = options;
        Session = new TrainingSession(trained ?? policy, options, options.UpdatesPerBatch, state);
    }

    /// <summary>Steps done.</summary>
    public long StepsDone => Session.Step;

    private protected CausalLm Policy { get; }

    private protected ITokenizer Tokenizer { get; }

    private protected TrainingSession Session { get; }

    /// <summary>How completions are drawn: the options', which without stop tokens of their own stop at every end that the tokenizer and
    /// the model name; log-probs are recorded in the parts in which the update computes them.</summary>
    private protected virtual SamplingOptions Sampling =>
        options.Sampling.StoppingAt(Policy, Tokenizer) with
        {
            ScoringRows = options.Sampling.ScoringRows ?? options.MicroBatchSize,
        };

    /// <summary>Writes a checkpoint of the steps done, also in a loop of one's own; <see cref="Resume"/> goes on from it.</summary>
    /// <param name="directory">Parent of the checkpoint's directory; made if it is missing.</param>
    /// <returns>Path of the checkpoint, <c>directory/checkpoint-STEP</c>.</returns>
    public string SaveCheckpoint(string directory) => Session.Save(directory);

    /// <summary>Goes on from a checkpoint (<see cref="Checkpoint.Latest"/>) of a run with the same options and problems.</summary>
    public void Resume(string checkpoint) => Session.Resume(checkpoint);

    /// <summary>Trains step by step; each element is a step that is done.</summary>
    /// <param name="problems">What the policy is asked; at least one.</param>
    /// <param name="evaluation">Problems that <see cref="TrainingOptions.Evaluation"/> judges the policy by, one completion each; null for
    /// none. Choose a metric such as <c>eval/reward/mean</c>.</param>
    /// <param name="cancellation">Looked at between steps and while completions are drawn and judged; leaves a checkpoint of the last step
    /// whose updates are made (where a directory is given) and
    /// throws. With a token that can be cancelled, rewards run on the thread pool: one that does not heed its token is left behind.</param>
    /// <remarks>A step is counted as soon as its updates are made. When an evaluation, an observer or a checkpoint throws after that, or an
    /// evaluation is cancelled, a further call goes on behind the
    /// updates, and first makes up for an evaluation that is missing; its weights are those of a run that nothing interrupted. A checkpoint
    /// that a cancelled evaluation left is without it.</remarks>
    /// <exception cref="ArgumentException">There is no problem, or a prompt does not fit the model's context.</exception>
    /// <exception cref="InvalidOperationException">The reward's answer is unusable: wrong count, NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public async IAsyncEnumerable<StepReport> RunAsync(
        IReadOnlyList<Problem> problems,
        IReadOnlyList<Problem>? evaluation = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        options.Evaluation.CheckData(evaluation is not null, nameof(evaluation));
        var questions = Question.Of(problems, nameof(problems), Policy, Tokenizer);
        var heldOut = evaluation is null ? null : Question.Of(evaluation, nameof(evaluation), Policy, Tokenizer);
        var order = new ShuffledOrder(questions.Length, options.Seed);
        Session.Begin();
        while (Session.IsUnfinished || Session.Continues(cancellation))
        {
            StepReport report;
            try
            {
                if (!Session.IsUnfinished)
                    await UpdateAsync(new QuestionSource(questions, order, Session.DataPosition), cancellation).ConfigureAwait(false);
                report = await FinishAsync(heldOut, cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                // Drawing and judging change nothing, so the run stands where the last update left it.
                Session.Save();
                throw;
            }
            yield return report;
        }
    }

    /// <summary>One step on problems of the caller's choice, for a loop of one's own: completions, rewards, updates, report.</summary>
    /// <param name="problems">At least one. <see cref="TrainingOptions.BatchSize"/> is not looked at.</param>
    /// <param name="cancellation">As in <see cref="RunAsync"/>, without the checkpoint.</param>
    public async Task<StepReport> StepAsync(IReadOnlyList<Problem> problems, CancellationToken cancellation = default)
    {
        var questions = Question.Of(problems, nameof(problems), Policy, Tokenizer);
        Session.Begin();
        await UpdateAsync(new QuestionSource(questions), cancellation).ConfigureAwait(false);
        return Session.Complete();
    }

    /// <summary>Draws one completion of each problem and judges it: <c>eval/reward/mean</c>, its components, length and share of finished
    /// ones. Nothing is trained.</summary>
    /// <remarks>The draws are a function of the run's seed and the problem's place, the same at every evaluation.</remarks>
    public async Task<IReadOnlyDictionary<string, double>> EvaluateAsync(
        IReadOnlyList<Problem> problems,
        CancellationToken cancellation = default
    )
    {
        var metrics = new Dictionary<string, double>();
        await EvaluateAsync(Question.Of(problems, nameof(problems), Policy, Tokenizer), metrics, cancellation).ConfigureAwait(false);
        return metrics;
    }

    /// <summary>Gives the optimiser's state back; the models stay with the caller.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back what the trainer made.</summary>
    private protected virtual void Dispose(bool disposing) => Session.Dispose();

    /// <summary>What a step learns from. The first draw of a step is number 0; further ones have other randomness.</summary>
    private protected virtual Task<Experience> CollectAsync(QuestionSource source, StepClock clock, CancellationToken cancellation) =>
        DrawAsync(source.Take(options.BatchSize), 0, clock, cancellation);

    /// <summary>The updates of a step, and what is to be reported of them; the last update's report.</summary>
    private protected abstract UpdateReport Learn(Experience experience, Dictionary<string, double> metrics, StepClock clock);

    /// <summary>Completions of some problems, a group each, and their rewards.</summary>
    // No dispose scope and no gradient mode may be open at the await: both belong to a thread.
    private protected async Task<Experience> DrawAsync(Question[] asked, int draw, StepClock clock, CancellationToken cancellation)
    {
        var repeated = asked.SelectMany(question => Enumerable.Repeat(question, options.GroupSize)).ToArray();
        ulong seed =
            draw == 0
                ? CounterRandom.Bits(options.Seed, (ulong)Session.Step)
                : CounterRandom.Bits(options.Seed, (ulong)Session.Step, (ulong)draw);
        var experience = await SampleAndJudgeAsync(repeated, Sampling, seed, clock, cancellation).ConfigureAwait(false);
        return experience;
    }

    /// <summary>The likeliest completion of each problem, and its reward.</summary>
    private protected Task<Experience> DrawGreedyAsync(Question[] asked, StepClock clock, CancellationToken cancellation) =>
        SampleAndJudgeAsync(asked, Sampling with { Temperature = 0, Recording = LogProbRecording.Drawn }, 0, clock, cancellation);

    private async Task<Experience> SampleAndJudgeAsync(
        Question[] asked,
        SamplingOptions sampling,
        ulong seed,
        StepClock clock,
        CancellationToken cancellation
    )
    {
        Policy.eval();
        var rollouts = Sampler.Generate(Policy, [.. asked.Select(question => question.Prompt)], sampling, seed, Tokenizer, cancellation);
        try
        {
            clock.Book("rollout");
            var completions = asked
                .Select(
                    (question, i) =>
                        new Completion(
                            question.Problem,
                            Tokenizer.Decode(rollouts.Completions[i]),
                            rollouts.Completions[i],
                            rollouts.Finished[i]
                        )
                )
                .ToArray();
            var scores = await Scoring
                .ScoreCheckedAsync(reward, completions, new RewardContext(Session.Step, options.Steps), cancellation)
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

    private async Task UpdateAsync(QuestionSource source, CancellationToken cancellation)
    {
        using var start = Session.Start();
        try
        {
            var clock = new StepClock();
            var metrics = new Dictionary<string, double>();
            using var experience = await CollectAsync(source, clock, cancellation).ConfigureAwait(false);
            RolloutMetrics.AddTo(metrics, experience.Scores, experience.Completions, options.GroupSize);
            Policy.train();
            var update = Learn(experience, metrics, clock);
            clock.Book("update");
            metrics["learning_rate"] = update.LearningRate;
            metrics["grad_norm"] = update.GradNorm;
            metrics["tokens_per_second"] = experience.Completions.Sum(completion => completion.Tokens.Length) / clock.Total;
            clock.AddTo(metrics);
            var told = new CompletionReport(Session.Step + 1, experience.Completions, experience.Scores);
            Session.Count(
                update.Loss,
                metrics,
                source.Taken,
                [.. options.CompletionObservers.Select(observer => (Action)(() => observer.Report(told)))]
            );
        }
        catch
        {
            Session.Undo(start);
            throw;
        }
    }

    private async Task<StepReport> FinishAsync(Question[]? heldOut, CancellationToken cancellation)
    {
        if (heldOut is not null && Session.EvaluationIsDue)
        {
            var clock = new StepClock();
            await EvaluateAsync(heldOut, Session.Metrics, cancellation).ConfigureAwait(false);
            clock.Book("evaluation");
            clock.AddTo(Session.Metrics);
        }
        return Session.Complete();
    }

    private async Task EvaluateAsync(Question[] asked, Dictionary<string, double> metrics, CancellationToken cancellation)
    {
        var clock = new StepClock();
        var completions = new List<Completion>();
        var scores = new List<RewardScores>();
        foreach (var part in asked.Chunk(options.BatchSize * options.GroupSize))
        {
            ulong seed = CounterRandom.Bits(options.Seed, ulong.MaxValue, (ulong)completions.Count);
            using var experience = await SampleAndJudgeAsync(
                    part,
                    Sampling with
                    {
                        Recording = LogProbRecording.Drawn,
                    },
                    seed,
                    clock,
                    cancellation
                )
                .ConfigureAwait(false);
            completions.AddRange(experience.Completions);
            scores.Add(experience.Scores);
        }
        RolloutMetrics.AddTo(metrics, RewardScores.Concatenate(scores), completions, groupSize: 1, "eval/");
    }
}
