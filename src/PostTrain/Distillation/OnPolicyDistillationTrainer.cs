using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Distillation on completions that the student writes itself, so that it learns from the teacher where its own mistakes
/// lead.</summary>
/// <remarks>
/// GKD, MiniLLM or advantages of single tokens: <see cref="OnPolicyObjective"/>. Nothing depends on the micro-batch. Metrics besides those
/// of <see cref="RolloutTrainer"/>: <c>student_samples</c> (1 in a step on the student's completions, 0 in one on given answers), <c>kl</c>
/// (the estimate log q − log p per token of the student's completions), <c>agreement</c> (of whole distributions: share of tokens where
/// both have the same most likely one). Rewards are only reported.
/// </remarks>
public sealed class OnPolicyDistillationTrainer : RolloutTrainer
{
    private static readonly IReward NoReward = Reward.Of("none", _ => 0);
    private readonly ReferencePolicy teacher;
    private readonly OnPolicyDistillationOptions options;
    private readonly IReward judge;

    /// <param name="student">What is trained: its parameters that require a gradient.</param>
    /// <param name="teacher">A frozen model of the same vocabulary, or the student without its adapter.</param>
    /// <param name="tokenizer">Turns texts into both models' token ids and back.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reward">Judges completions for the log and for evaluations; null: steps report no reward, evaluations one of 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The vocabularies differ, or the teacher's context is the shorter one.</exception>
    public OnPolicyDistillationTrainer(
        CausalLm student,
        ReferencePolicy teacher,
        ITokenizer tokenizer,
        OnPolicyDistillationOptions options,
        IReward? reward = null
    )
        : base(student, tokenizer, reward ?? NoReward, options)
    {
        Teachers.Check(student, teacher);
        if (teacher.Own is { } model && model.ContextLength < student.ContextLength)
            throw new ArgumentException(
                $"teacher has a context of {model.ContextLength}, expected at least {student.ContextLength}, the student's",
                nameof(teacher)
            );
        this.teacher = teacher;
        this.options = options;
        judge = reward ?? NoReward;
    }

    /// <summary>Where a batch is used for one update, its own pass gives the log-probs of the student that drew it.</summary>
    private protected override SamplingOptions Sampling =>
        options.UpdatesPerBatch == 1 ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    // A function of seed and step, so that a run that goes on from a checkpoint chooses alike.
    private bool FromStudent => CounterRandom.Uniform(options.Seed, (ulong)Session.Step, ulong.MaxValue) < options.StudentShare;

    private protected override Task<Experience> CollectAsync(QuestionSource source, StepClock clock, CancellationToken cancellation) =>
        FromStudent ? base.CollectAsync(source, clock, cancellation) : AnswersAsync(source.Take(options.BatchSize), clock, cancellation);

    private protected override UpdateReport Learn(Experience experience, Dictionary<string, double> metrics, StepClock clock)
    {
        using var scope = NewDisposeScope();
        var rollouts = experience.Rollouts;
        bool fromStudent = FromStudent;
        double denominator = options.Aggregation.Denominator(rollouts.CompletionMask);
        int rows = experience.Completions.Count,
            size = options.MicroBatchSize ?? rows;
        var means = new MetricMeans();
        var report = default(UpdateReport);
        for (int update = 0; update < options.UpdatesPerBatch; update++)
            report = Session.Optimization.Update(
                (rows + size - 1) / size,
                part => Loss(rollouts.Rows(part * size, Math.Min(size, rows - part * size)), denominator, fromStudent, means)
            );
        means.AddTo(metrics);
        metrics["student_samples"] = fromStudent ? 1 : 0;
        if (judge == NoReward)
            foreach (string name in metrics.Keys.Where(name => name.StartsWith("reward/", StringComparison.Ordinal)).ToArray())
                metrics.Remove(name);
        return report;
    }

    private Tensor Loss(RolloutRows rows, double denominator, bool fromStudent, MetricMeans means)
    {
        // Whole distributions are compared as the models have them; what is learnt from the draws is of the distribution that they were
        // drawn from.
        var shaping = options.Objective.OfSamples ? Sampling : new SamplingOptions();
        var student = CompletionScores.Of(Policy, rows, shaping);
        var scores = teacher.Ask(model => CompletionScores.Of(model, rows, shaping));
        var mask = rows.CompletionMask;
        if (fromStudent)
            means.Add("kl", Masked.Mean((student.LogProbs - scores.LogProbs).detach(), mask), mask.sum().ToDouble());
        long tokens = mask.shape[1];
        var part = new OnPolicyPart(
            student,
            scores,
            rows.Ids.narrow(1, rows.Ids.shape[1] - tokens, tokens),
            mask,
            options.UpdatesPerBatch == 1 ? null : rows.LogProbs
        );
        return options.Objective.Loss(part, options.Aggregation, denominator, means);
    }

    private async Task<Experience> AnswersAsync(Question[] asked, StepClock clock, CancellationToken cancellation)
    {
        var examples = asked.Select(Answer).ToArray();
        var rollouts = Layout(examples);
        try
        {
            clock.Book("rollout");
            var completions = asked
                .Select(
                    (question, i) =>
                        new Completion(question.Problem, question.Problem.Answer!, rollouts.Completions[i], rollouts.Finished[i])
                )
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

    private TokenExample Answer(Question question) =>
        question.Problem.Answer is { } answer
            ? TokenExample
                .Of(question.Problem.Prompt, answer, Tokenizer)
                .Fitting(Policy.ContextLength - 1, $"the answer of '{question.Problem.Prompt}'", nameof(question))
            : throw new ArgumentException(
                $"the problem '{question.Problem.Prompt}' has no answer, expected one, as StudentShare is {options.StudentShare}",
                nameof(question)
            );

    // As the sampler lays completions out: prompts on the right of their columns, each completion cut where its own row's context ends.
    private RolloutBatch Layout(TokenExample[] examples)
    {
        using var scope = NewDisposeScope();
        int prompt = examples.Max(example => example.PromptLength);
        int[][] completions =
        [
            .. examples.Select(example => example.Ids[example.PromptLength..].Take(Policy.ContextLength - example.PromptLength).ToArray()),
        ];
        int[][] prompts = [.. examples.Select(example => example.Ids[..example.PromptLength])];
        var lengths = tensor(completions.Select(completion => (long)completion.Length).ToArray()).unsqueeze(1);
        var ids = cat(
            [SequencePadding.Pad(prompts, Tokenizer.PaddingId, PaddingSide.Left), SequencePadding.Pad(completions, Tokenizer.PaddingId)],
            1
        );
        var counted = arange(ids.shape[1] - prompt, dtype: ScalarType.Int64).unsqueeze(0).lt(lengths);
        var real = SequencePadding.Pad([.. prompts.Select(row => Enumerable.Repeat(1, row.Length).ToArray())], 0, PaddingSide.Left);
        var mask = counted.to_type(ScalarType.Float32);
        var device = BodyParts.DeviceOf(Policy);
        return new RolloutBatch(
            ids.to(device),
            cat([real, counted.to_type(ScalarType.Int64)], 1).to(device),
            mask.to(device),
            zeros_like(mask).to(device),
            prompt,
            completions,
            [.. completions.Zip(examples, (completion, example) => completion.Length == example.Ids.Length - example.PromptLength)]
        );
    }
}
