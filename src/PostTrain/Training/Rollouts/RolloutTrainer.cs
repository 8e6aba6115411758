using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Trainer on completions that the policy draws itself: draw, judge, update, report.</summary>
/// <remarks>
/// <para>Metrics of every such trainer: <c>reward/mean</c>, <c>reward/std</c>, <c>reward/NAME</c> of each component,
/// <c>reward/zero_groups</c> (share of groups whose rewards are all equal; not for groups of one), <c>completion/length</c>,
/// <c>completion/finished</c>, <c>learning_rate</c>, <c>grad_norm</c>, <c>tokens_per_second</c> (of completions), and where the time went,
/// in seconds: <c>time/rollout</c>, <c>time/reward</c>, <c>time/reference</c>, <c>time/update</c>, <c>time/evaluation</c>. An evaluation
/// adds the first five under <c>eval/</c>. With <see cref="RolloutOptions.Source"/> also <c>rollout/gap</c> (mean |log π − log μ| per
/// token of policy and source, nats), <c>rollout/lag</c> (updates by which the completions' weights are behind, where the source numbers
/// them) and <c>rollout/stale</c> (1 in a step that <see cref="RolloutOptions.Staleness"/> would refuse, absent in others).</para>
/// <para>To write a trainer, derive and override <see cref="UpdateAsync"/>: take prompts from the step, call <see cref="DrawAsync"/>, and
/// make the updates with <see cref="Optimization"/>. Steps, resuming, evaluation, cancellation, observers and metrics are this class's.
/// Override <see cref="State"/> for what a checkpoint has to hold besides model and optimiser.</para>
/// </remarks>
public abstract class RolloutTrainer : IDisposable
{
    private static readonly IReward NoReward = Reward.Of("none", _ => 0);
    private readonly IReward? reward;
    private readonly RolloutOptions options;
    private readonly SourceFeed? feed;
    private readonly RolloutBacklog? backlog;
    private readonly SharedDraws shared;

    /// <summary>Checks the options and makes the optimiser.</summary>
    /// <param name="policy">Draws completions and is trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions; null: steps report no reward, evaluations one of 0.</param>
    /// <param name="options">Options of the trainer.</param>
    /// <param name="trained">Module whose parameters are trained, where that is more than the policy, such as a critic beside it.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    protected RolloutTrainer(CausalLm policy, ITokenizer tokenizer, IReward? reward, RolloutOptions options, nn.Module? trained = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        options.Sampling.Validate(policy.VocabularySize);
        Policy = policy;
        Tokenizer = tokenizer;
        this.reward = reward;
        this.options = options;
        feed = SourceFeed.Of(options, policy, tokenizer);
        backlog = options.Asynchronous is null ? null : new RolloutBacklog(options.GroupSize, policy.VocabularySize);
        Session = new TrainingSession(trained ?? policy, options, options.UpdatesPerBatch)
        {
            State = () => backlog is null ? State : new AsynchronousState(State, backlog),
        };
        shared = new SharedDraws(Ranks, options.GroupSize, feed, (policy, tokenizer));
    }

    /// <summary>Steps done.</summary>
    public long StepsDone => Session.Step;

    /// <summary>Model that draws and is trained.</summary>
    protected CausalLm Policy { get; }

    /// <summary>Tokenizer of the model.</summary>
    protected ITokenizer Tokenizer { get; }

    /// <summary>Optimiser of the trained parameters: makes the updates of a step.</summary>
    protected Optimization Optimization => Session.Optimization;

    /// <summary>State that checkpoints hold besides model, optimiser and position; null for none.</summary>
    protected virtual ITrainerState? State => null;

    /// <summary>Sampling of a step: that of the options, which without stop tokens of its own stops at every end that the tokenizer and
    /// the model name; log-probs are recorded in the parts in which the update computes them.</summary>
    protected virtual SamplingOptions Sampling =>
        options.Sampling.StoppingAt(Policy, Tokenizer) with
        {
            ScoringRows = options.Sampling.ScoringRows ?? options.MicroBatchSize,
        };

    private TrainingSession Session { get; }

    /// <summary>Ranks of the run.</summary>
    private protected Ranks Ranks => Session.Ranks;

    /// <summary>Writes a checkpoint of the steps done, also in a loop of your own; <see cref="Resume"/> goes on from it.</summary>
    /// <param name="directory">Parent of the checkpoint's directory; made if it is missing.</param>
    /// <returns>Path of the checkpoint, <c>directory/checkpoint-STEP</c>.</returns>
    public string SaveCheckpoint(string directory) => Session.Save(directory);

    /// <summary>Goes on from a checkpoint (<see cref="Checkpoint.Latest"/>) of a run with the same options and problems.</summary>
    public void Resume(string checkpoint)
    {
        Session.Resume(checkpoint);
        feed?.Forget();
    }

    /// <summary>Trains step by step; each element is a step that is done.</summary>
    /// <param name="problems">The problems given to the policy; at least one.</param>
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
        Session.Agree(problems, nameof(problems));
        bool begins = Session.Step == 0;
        var prompts = Tokenized(problems, nameof(problems), begins);
        var heldOut = evaluation is null ? null : Tokenized(evaluation, nameof(evaluation), begins);
        var order = new ShuffledOrder(prompts.Length, options.Seed);
        Session.Plan(prompts.Length);
        Session.Begin();
        await using var ahead = backlog is null
            ? null
            : new RolloutsAhead(options, feed!, backlog, number => prompts[order[number]])
            {
                Journal = RolloutsAhead.OpenJournal(options, prompts, Session.Step, backlog),
                Sampling = Sampling,
                Steps = Session.Steps,
            };
        while (Session.IsUnfinished || Session.Continues(cancellation))
        {
            StepReport report;
            try
            {
                if (!Session.IsUnfinished)
                    await TakeStepAsync(new PromptSource(prompts, order, Session.DataPosition), cancellation, ahead).ConfigureAwait(false);
                report = await FinishAsync(heldOut, cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException error) when (cancellation.IsCancellationRequested || error is RanksCancelledException)
            {
                // Drawing and judging change nothing, so the run stands where the last update left it.
                Session.Save();
                throw;
            }
            yield return report;
        }
    }

    /// <summary>One step on problems of the caller's choice, for a loop of your own: completions, rewards, updates, report.</summary>
    /// <param name="problems">At least one. <see cref="TrainingOptions.BatchSize"/> is not looked at.</param>
    /// <param name="cancellation">As in <see cref="RunAsync"/>, without the checkpoint.</param>
    public async Task<StepReport> StepAsync(IReadOnlyList<Problem> problems, CancellationToken cancellation = default)
    {
        Session.CheckSteps();
        Session.Agree(problems, nameof(problems));
        var prompts = Tokenized(problems, nameof(problems), tells: true);
        Session.Begin();
        await TakeStepAsync(new PromptSource(prompts), cancellation).ConfigureAwait(false);
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
        await EvaluateAsync(Tokenized(problems, nameof(problems), tells: false), metrics, cancellation).ConfigureAwait(false);
        return metrics;
    }

    /// <summary>Disposes the optimiser's state; the models stay with the caller.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Disposes what the trainer made.</summary>
    /// <param name="disposing">False from a finaliser.</param>
    protected virtual void Dispose(bool disposing) => Session.Dispose();

    /// <summary>Makes the updates of one step: takes prompts, draws and judges completions, updates.</summary>
    /// <remarks>An update that has been made cannot be taken back: check what may be refused before the first. No dispose scope and no
    /// gradient mode may be open at an <c>await</c>: both belong to a thread.</remarks>
    /// <param name="current">Prompts, metrics and time of the step. Owns what <see cref="DrawAsync"/> and <see cref="JudgeAsync"/> give,
    /// until the step ends or fails.</param>
    /// <returns>Report of the last update.</returns>
    protected abstract Task<UpdateReport> UpdateAsync(RolloutStep current);

    /// <summary>Draws a group of completions of each prompt and judges them. Afterwards the policy is in training mode.</summary>
    /// <param name="step">Step that the draw belongs to.</param>
    /// <param name="prompts">Prompts from <see cref="RolloutStep.Prompts"/>.</param>
    /// <param name="draw">Number of the draw in the step; each has randomness of its own.</param>
    /// <param name="tokenReward">Judges single tokens; null for none.</param>
    protected async Task<JudgedRollouts> DrawAsync(
        RolloutStep step,
        IReadOnlyList<TokenizedPrompt> prompts,
        int draw = 0,
        ITokenReward? tokenReward = null
    )
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(prompts);
        if (step.Ahead is { } ahead)
            prompts = await ahead.TakeAsync(step, prompts.Count, draw, (Session.Step, Version)).ConfigureAwait(false);
        TokenizedPrompt[] repeated = [.. prompts.SelectMany(prompt => Enumerable.Repeat(prompt, options.GroupSize))];
        var rollouts = step.Own(await SampleAsync(step, repeated, Seed(draw)).ConfigureAwait(false));
        step.Book("rollout");
        var completions = TokenizedPrompt.Completions(repeated, rollouts, Tokenizer);
        return await JudgeTextsAsync(step, rollouts, repeated, completions, tokenReward).ConfigureAwait(false);
    }

    /// <summary>Judges completions that were not drawn by <see cref="DrawAsync"/>. Afterwards the policy is in training mode.</summary>
    /// <param name="step">Step that the completions belong to; takes over <paramref name="rollouts"/>.</param>
    /// <param name="rollouts">Completions, one a row.</param>
    /// <param name="prompts">Prompt of each row.</param>
    protected Task<JudgedRollouts> JudgeAsync(RolloutStep step, RolloutBatch rollouts, IReadOnlyList<TokenizedPrompt> prompts)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(rollouts);
        ArgumentNullException.ThrowIfNull(prompts);
        step.Own(rollouts);
        return JudgeTextsAsync(step, rollouts, prompts, TokenizedPrompt.Completions(prompts, rollouts, Tokenizer), null);
    }

    /// <summary>Judges rollouts of the step with given texts, and notes them for its report.</summary>
    private protected async Task<JudgedRollouts> JudgeTextsAsync(
        RolloutStep step,
        RolloutBatch rollouts,
        IReadOnlyList<TokenizedPrompt> prompts,
        IReadOnlyList<Completion> completions,
        ITokenReward? tokenReward
    )
    {
        var scores = await ScoreAsync(step, completions).ConfigureAwait(false);
        IReadOnlyList<double[]>? tokens = null;
        if (tokenReward is not null)
        {
            tokens = await shared.ScoreAsync(tokenReward, completions, Context, step.Cancellation).ConfigureAwait(false);
            step.Book("reward");
        }
        Policy.train();
        var judged = new JudgedRollouts(rollouts, prompts, completions, scores) { TokenRewards = tokens };
        step.Note(judged);
        return judged;
    }

    /// <summary>Rewards of the likeliest completion of each prompt. Afterwards the policy is in training mode.</summary>
    private protected async Task<double[]> GreedyRewardsAsync(RolloutStep step, IReadOnlyList<TokenizedPrompt> prompts)
    {
        var greedy = Sampling with { Temperature = 0, Recording = LogProbRecording.Drawn };
        var rollouts = await OutsideTrainingAsync(step, prompts, greedy, 0, isCurrent: false).ConfigureAwait(false);
        var scores = await ScoreAsync(step, TokenizedPrompt.Completions(prompts, rollouts, Tokenizer)).ConfigureAwait(false);
        Policy.train();
        return scores.Values;
    }

    /// <summary>Seed of a draw of the present step.</summary>
    private protected ulong Seed(int draw) =>
        draw == 0
            ? CounterRandom.Bits(options.Seed, (ulong)Session.Step)
            : CounterRandom.Bits(options.Seed, (ulong)Session.Step, (ulong)draw);

    private RewardContext Context => new(Session.Step, Session.Steps);

    /// <summary>Draws one completion of each prompt for training, by the source of the options or the policy itself; the caller disposes
    /// them. Afterwards the policy is in evaluation mode.</summary>
    private protected async Task<RolloutBatch> SampleAsync(RolloutStep step, IReadOnlyList<TokenizedPrompt> prompts, ulong seed)
    {
        Policy.eval();
        if (feed is not null && step.Groups.Count > 0)
            return feed.Checked(feed.Batch(prompts, step.Groups), Sampling, Version, step.Metrics);
        var drawn = await shared.DrawAsync(prompts, Sampling, seed, (Version, false), step.Cancellation).ConfigureAwait(false);
        return feed is null ? drawn : feed.Checked(drawn, Sampling, Version, step.Metrics);
    }

    // Draws whose log-probs nobody asks for.
    private async Task<RolloutBatch> OutsideTrainingAsync(
        RolloutStep step,
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        bool isCurrent
    )
    {
        Policy.eval();
        var drawn = await shared.DrawAsync(prompts, sampling, seed, (Version, isCurrent), step.Cancellation).ConfigureAwait(false);
        var rollouts = step.Own(drawn);
        step.Book("rollout");
        return rollouts;
    }

    // Number of the policy's weights.
    private long Version => Optimization.Updates;

    private async Task<RewardScores> ScoreAsync(RolloutStep step, IReadOnlyList<Completion> completions)
    {
        var scores = await shared.ScoreAsync(reward ?? NoReward, completions, Context, step.Cancellation).ConfigureAwait(false);
        step.Book("reward");
        return scores;
    }

    /// <summary>Passes findings about further data on with the first report.</summary>
    private protected void Tell(string name, IReadOnlyList<DataNote> notes) => Session.Tell(name, notes);

    private TokenizedPrompt[] Tokenized(IReadOnlyList<Problem> problems, string name, bool tells)
    {
        var notes = new DataNotes();
        var encoder = new ExampleEncoder(Tokenizer, Policy.ContextLength) { Truncation = options.Truncation, Notes = notes };
        var prompts = TokenizedPrompt.Of(problems, name, encoder);
        if (tells)
            Session.Tell(
                name,
                problems is RecordSet<Problem> read ? [.. read.Notes, .. notes.Of(prompts.Length)] : notes.Of(prompts.Length)
            );
        return prompts;
    }

    private async Task TakeStepAsync(PromptSource prompts, CancellationToken cancellation, RolloutsAhead? ahead = null)
    {
        using var start = Session.Start();
        try
        {
            using var step = new RolloutStep(prompts, cancellation) { Ahead = ahead };
            var update = await UpdateAsync(step).ConfigureAwait(false);
            step.Book("update");
            var (completions, scores) = (step.Completions, step.Scores);
            if (completions.Count == 0)
                throw new InvalidOperationException("UpdateAsync drew no completions, expected a call of DrawAsync or JudgeAsync");
            var metrics = RolloutStep.MetricsOf(completions, scores, options.GroupSize, isJudged: reward is not null);
            foreach (var (name, value) in step.Metrics)
                metrics[name] = value;
            update.AddTo(metrics);
            metrics["tokens_per_second"] = completions.Sum(completion => completion.Tokens.Length) / step.Seconds;
            step.AddTimesTo(metrics);
            var told = new CompletionReport(Session.Step + 1, completions, scores);
            Session.Count(
                update.Loss,
                metrics,
                prompts.Taken,
                [.. options.CompletionObservers.Select(observer => (Action)(() => observer.Report(told)))]
            );
            backlog?.Consume([.. step.Groups.Select(group => group.Number)]);
        }
        catch
        {
            Session.Undo(start);
            throw;
        }
    }

    private async Task<StepReport> FinishAsync(TokenizedPrompt[]? heldOut, CancellationToken cancellation)
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

    private async Task EvaluateAsync(TokenizedPrompt[] prompts, Dictionary<string, double> metrics, CancellationToken cancellation)
    {
        var sampling = Sampling with { Recording = LogProbRecording.Drawn };
        var completions = new List<Completion>();
        var scores = new List<RewardScores>();
        foreach (var part in prompts.Chunk(options.BatchSize * options.GroupSize))
        {
            using var step = new RolloutStep(new PromptSource(part), cancellation);
            ulong seed = CounterRandom.Bits(options.Seed, ulong.MaxValue, (ulong)completions.Count);
            var rollouts = await OutsideTrainingAsync(step, part, sampling, seed, isCurrent: true).ConfigureAwait(false);
            var drawn = TokenizedPrompt.Completions(part, rollouts, Tokenizer);
            scores.Add(await ScoreAsync(step, drawn).ConfigureAwait(false));
            completions.AddRange(drawn);
        }
        foreach (var (name, value) in RolloutStep.MetricsOf(completions, RewardScores.Concatenate(scores), groupSize: 1, isJudged: true))
            metrics[$"eval/{name}"] = value;
    }
}
