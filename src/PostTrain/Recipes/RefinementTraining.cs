using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Text;

namespace PostTrain.Recipes;

/// <summary>Fine-tuned self-refinement: the policy writes and revises under feedback, and is trained on what the revisions
/// repaired.</summary>
/// <remarks><see cref="SelfRefinement"/> makes traces, <see cref="TraceExamples"/> makes demonstrations of them,
/// <see cref="Supervised.SftTrainer"/> trains on those. Feedback of the policy itself gives the fine-tuned intrinsic kind, a verifier the
/// external one.</remarks>
public sealed class RefinementTraining : Recipe
{
    /// <summary>Stage of <see cref="Supervised.SftTrainer"/> on the examples of the traces.</summary>
    public const string Training = "training";

    private const string Lessons = "examples.jsonl";
    private readonly IFeedbackSource feedback;
    private readonly RefinementTrainingOptions options;

    /// <summary>Checks the options.</summary>
    /// <param name="policy">Model that writes and revises; its parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="feedback">Judges what was written.</param>
    /// <param name="options">Options of refinement and training.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public RefinementTraining(CausalLm policy, ITokenizer tokenizer, IFeedbackSource feedback, RefinementTrainingOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(feedback);
        options.Validate();
        (this.feedback, this.options) = (feedback, options);
    }

    /// <summary>Runs the rounds: refines, then trains on the examples of this round's traces.</summary>
    /// <param name="problems">At least one.</param>
    /// <param name="cancellation">As in <see cref="SelfRefinement.RunAsync"/> and the trainer.</param>
    /// <exception cref="InvalidOperationException">The traces of a round hold no example.</exception>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Problem> problems,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        var folder = Open();
        for (int round = 1; round <= options.Rounds; round++)
        {
            var place = folder.Round(round);
            var examples = place.Read<Demonstration>(Lessons);
            if (examples is null)
            {
                examples = await RefineAsync(problems, round, cancellation).ConfigureAwait(false);
                place.Write(Lessons, examples);
            }
            if (examples.Count == 0)
                throw new InvalidOperationException($"the traces of round {round} hold no example, expected at least one to train on");
            foreach (var report in Supervise(place, Training, options.Training, examples, cancellation))
                yield return report with
                {
                    Round = round,
                };
            await EndAsync(Training, cancellation, round: round).ConfigureAwait(false);
        }
    }

    private async Task<IReadOnlyList<Demonstration>> RefineAsync(IReadOnlyList<Problem> problems, int round, CancellationToken cancellation)
    {
        var writing = options.Writing with { Seed = options.Writing.Seed + (ulong)(round - 1) };
        IReadOnlyList<RefinementTrace> traces = [];
        await foreach (
            var revised in SelfRefinement
                .RunAsync(problems, new ModelRefiner(Policy, Tokenizer, writing), feedback, options.Refinement, cancellation)
                .ConfigureAwait(false)
        )
            traces = revised.Traces;
        return options.Examples is { } of
            ? of(traces)
            : [.. TraceExamples.Corrections(traces), .. TraceExamples.Confirmations(traces, options.Writing.Template)];
    }
}
