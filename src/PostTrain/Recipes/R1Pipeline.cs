using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Recipes;

/// <summary>R1's pipeline: cold start, reinforcement of reasoning, rejection sampling and supervised fine-tuning of the first policy,
/// second reinforcement, distillation into a smaller model.</summary>
/// <remarks>DeepSeek-R1, arXiv:2501.12948, sections 2.3 and 2.4. Without cold start, rejection and second reinforcement it is R1-Zero
/// (section 2.2). The paper's first reward is accuracy and format by rules with <see cref="Reward.LanguageConsistency"/>; its second adds
/// preference rewards of general tasks (<see cref="R1PipelineOptions.AlignmentReward"/>).</remarks>
public sealed class R1Pipeline : Recipe
{
    /// <summary>Stage of <see cref="Supervised.SftTrainer"/> on the given demonstrations.</summary>
    public const string ColdStart = "cold-start";

    /// <summary>Stage of <see cref="GrpoTrainer"/> from the cold start.</summary>
    public const string Reasoning = "reasoning";

    /// <summary>Stage of <see cref="Supervised.SftTrainer"/>: the first policy on demonstrations and kept completions.</summary>
    public const string Rejection = "rejection";

    /// <summary>Stage of the second <see cref="GrpoTrainer"/>.</summary>
    public const string Alignment = "alignment";

    /// <summary>Stage of <see cref="Supervised.SftTrainer"/>: the student on the data of the rejection stage.</summary>
    public const string Distillation = "distillation";

    private const string Kept = "kept.jsonl";
    private readonly IReward reward;
    private readonly R1PipelineOptions options;

    /// <summary>Checks the arguments.</summary>
    /// <param name="policy">Model whose parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="reward">Judges completions.</param>
    /// <param name="options">Options of the stages.</param>
    /// <exception cref="ArgumentException">A reinforcement needs a reference, and there is no way to keep one; or there is a student and
    /// no rejection sampling.</exception>
    public R1Pipeline(CausalLm policy, ITokenizer tokenizer, IReward reward, R1PipelineOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(options.Reasoning);
        (this.reward, this.options) = (reward, options);
        if (NeedsReference(options.Reasoning) || (options.Alignment is { } second && NeedsReference(second)))
            CheckReference(options, options.Reference is not null);
        if (options is { Student: not null, Rejection: null })
            throw new ArgumentException(
                $"options has a {nameof(R1PipelineOptions.Student)} and no {nameof(R1PipelineOptions.Rejection)}, "
                    + "expected the stage whose data it learns from",
                nameof(options)
            );
    }

    /// <summary>Runs the stages; each element is a step that is done.</summary>
    /// <param name="demonstrations">Demonstrations of the cold start, also trained on after rejection sampling; may be empty without a cold
    /// start.</param>
    /// <param name="problems">Problems of reinforcement and rejection sampling.</param>
    /// <param name="evaluation">Problems that the reinforcements are judged by; null for none.</param>
    /// <param name="cancellation">As in the stages' trainers.</param>
    /// <exception cref="InvalidOperationException">There is nothing to train on after rejection sampling.</exception>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Demonstration> demonstrations,
        IReadOnlyList<Problem> problems,
        IReadOnlyList<Problem>? evaluation = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(demonstrations);
        var folder = Open();
        using var first = options.Rejection is null ? null : new TrainedWeights(Policy);
        if (options.ColdStart is { } coldStart)
        {
            foreach (var report in Supervise(folder, ColdStart, coldStart, demonstrations, cancellation))
                yield return report;
            await EndAsync(ColdStart, cancellation).ConfigureAwait(false);
        }
        await foreach (var report in StageAsync(Reasoning, options.Reasoning, reward).ConfigureAwait(false))
            yield return report;

        Demonstration[] shown = [];
        if (options.Rejection is { } rejection)
        {
            var kept = folder.Read<Demonstration>(Kept);
            if (kept is null)
            {
                var sampling = new SelfTraining(
                    Policy,
                    Tokenizer,
                    reward,
                    rejection with
                    {
                        Directory = null,
                        Demonstrations = demonstrations,
                    }
                );
                kept = await sampling.CollectAsync(problems, cancellation).ConfigureAwait(false);
                folder.Write(Kept, kept);
            }
            shown = [.. demonstrations, .. kept];
            if (shown.Length == 0)
                throw new InvalidOperationException("rejection sampling kept nothing, and there is no demonstration to train on");
            first!.Restore();
            foreach (var report in Supervise(folder, Rejection, rejection.Training, shown, cancellation))
                yield return report;
            await EndAsync(Rejection, cancellation).ConfigureAwait(false);
        }
        if (options.Alignment is { } alignment)
            await foreach (var report in StageAsync(Alignment, alignment, options.AlignmentReward ?? reward).ConfigureAwait(false))
                yield return report;
        if (options.Student is { } student)
        {
            foreach (var report in Supervise(folder, Distillation, options.Distillation, shown, cancellation, student))
                yield return report;
            await EndAsync(Distillation, cancellation, student).ConfigureAwait(false);
        }

        async IAsyncEnumerable<RecipeReport> StageAsync(string stage, GrpoOptions how, IReward judge)
        {
            using var copy = NeedsReference(how) && options.Reference is null ? ((Decoder)Policy).Copy() : null;
            if (NeedsReference(how))
                how = how with { Reference = copy ?? options.Reference!(Policy) };
            await foreach (
                var report in ReinforceAsync(folder, stage, how, judge, problems, evaluation, cancellation).ConfigureAwait(false)
            )
                yield return report;
            await EndAsync(stage, cancellation).ConfigureAwait(false);
        }
    }

    private static bool NeedsReference(GrpoOptions how) => how.Reference is null && (how.Kl is not null || how.Objective.Beta > 0);
}
