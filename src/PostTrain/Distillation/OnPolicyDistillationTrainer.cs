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
    private readonly ReferencePolicy teacher;
    private readonly OnPolicyDistillationOptions options;

    /// <summary>Checks the options and makes the optimiser.</summary>
    /// <param name="student">Model that draws; its parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into both models' token ids and back.</param>
    /// <param name="teacher">A frozen model of the same vocabulary, or the student without its adapter.</param>
    /// <param name="options">Options of the trainer.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The vocabularies differ, or the teacher's context is the shorter one.</exception>
    public OnPolicyDistillationTrainer(CausalLm student, ITokenizer tokenizer, ReferencePolicy teacher, OnPolicyDistillationOptions options)
        : base(student, tokenizer, options?.Reward, options!)
    {
        Teachers.Check(student, teacher);
        if (teacher.Own is { } model && model.ContextLength < student.ContextLength)
            throw new ArgumentException(
                $"teacher has a context of {model.ContextLength}, expected at least {student.ContextLength}, the student's",
                nameof(teacher)
            );
        (this.teacher, this.options) = (teacher, options!);
    }

    /// <summary>Options of the sampling. If a batch is used for one update, its own pass gives the log-probs of the student that sampled
    /// it.</summary>
    protected override SamplingOptions Sampling =>
        options.UpdatesPerBatch == 1 ? base.Sampling with { Recording = LogProbRecording.Drawn } : base.Sampling;

    /// <inheritdoc/>
    protected override async Task<UpdateReport> UpdateAsync(RolloutStep current)
    {
        ArgumentNullException.ThrowIfNull(current);
        // A function of seed and current, so that a run that goes on from a checkpoint chooses alike.
        bool fromStudent = CounterRandom.Uniform(options.Seed, (ulong)StepsDone, ulong.MaxValue) < options.StudentShare;
        var prompts = current.Prompts.Take(options.BatchSize);
        var drawn = await (fromStudent ? DrawAsync(current, prompts) : AnswersAsync(current, prompts)).ConfigureAwait(false);
        return Learn(current, drawn.Rollouts, fromStudent);
    }

    private UpdateReport Learn(RolloutStep step, RolloutBatch rollouts, bool fromStudent)
    {
        using var scope = NewDisposeScope();
        double denominator = options.Aggregation.Denominator(rollouts.CompletionMask);
        int rows = rollouts.Completions.Count,
            size = Ranks.PartSize(rows, options.MicroBatchSize);
        var means = new MetricMeans();
        var report = default(UpdateReport);
        for (int update = 0; update < options.UpdatesPerBatch; update++)
            report = Optimization.Update(
                (rows + size - 1) / size,
                part => Loss(rollouts.Rows(part * size, Math.Min(size, rows - part * size)), denominator, fromStudent, means),
                means
            );
        means.AddTo(step.Metrics);
        step.Metrics["student_samples"] = fromStudent ? 1 : 0;
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

    // The problems' answers as completions.
    private Task<JudgedRollouts> AnswersAsync(RolloutStep step, TokenizedPrompt[] prompts)
    {
        var examples = prompts.Select(prompt => Answer(prompt.Problem)).ToArray();
        // Each is cut where its row's context ends, as the sampler does.
        int[][] completions =
        [
            .. examples.Select(example => example.Ids[example.PromptLength..].Take(Policy.ContextLength - example.PromptLength).ToArray()),
        ];
        var rollouts = step.Own(
            RolloutBatch.Of(
                [.. examples.Select(example => example.Ids[..example.PromptLength])],
                completions,
                [.. completions.Zip(examples, (ids, example) => ids.Length == example.Ids.Length - example.PromptLength)],
                Tokenizer.PaddingId,
                BodyParts.DeviceOf(Policy)
            )
        );
        step.Book("rollout");
        Completion[] texts =
        [
            .. prompts.Select((prompt, i) => new Completion(prompt.Problem, prompt.Problem.Answer!, completions[i], rollouts.Finished[i])),
        ];
        return JudgeTextsAsync(step, rollouts, prompts, texts, tokenReward: null);
    }

    private TokenExample Answer(Problem problem) =>
        problem.Answer is { } answer
            ? TokenExample
                .Of(problem.Prompt, answer, Tokenizer)
                .Fitting(Policy.ContextLength - 1, $"the answer of '{problem.Prompt}'", nameof(problem))
            : throw new ArgumentException(
                $"the problem '{problem.Prompt}' has no answer, expected one, as StudentShare is {options.StudentShare}",
                nameof(problem)
            );
}
