using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306): learns from completions that were each judged
/// alone.</summary>
/// <remarks>
/// The reference point is estimated on the whole batch, each prompt with the next other completion of another prompt: of the batch, else of
/// the data set; where all have
/// one prompt, with its next other completion. So nothing depends on the micro-batch. Data with a single completion are refused.
/// Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>kl</c> (the reference point), <c>reward/chosen</c>,
/// <c>reward/rejected</c>, <c>logp/chosen</c>, <c>logp/rejected</c> (means over the desirable and the undesirable completions; absent where
/// a batch has none).
/// </remarks>
public sealed class KtoTrainer : DatasetTrainer<JudgedCompletion>
{
    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly KtoTrainerOptions options;
    private readonly ReferencePolicy reference;
    private readonly MovingReference? moving;

    /// <param name="model">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">A frozen model, or the policy without its adapter.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public KtoTrainer(CausalLm model, ITokenizer tokenizer, KtoTrainerOptions options, ReferencePolicy reference)
        : this(model, tokenizer, options, reference, MovingReference.Of(reference, options)) { }

    private KtoTrainer(CausalLm model, ITokenizer tokenizer, KtoTrainerOptions options, ReferencePolicy reference, MovingReference? moving)
        : base(model, options, moving)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(reference);
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
        this.reference = reference;
        this.moving = moving;
    }

    private protected override void BeforeStep(long step)
    {
        if (moving is not null && step > 0 && step % options.ReferenceSyncEvery == 0)
            moving.Follow(model, options.ReferenceMix, step);
    }

    private protected override PreparedData Prepare(IReadOnlyList<JudgedCompletion> data, string name)
    {
        var examples = new KtoExample[data.Count];
        for (int i = 0; i < examples.Length; i++)
            examples[i] = new KtoExample(
                TokenExample.Of(
                    data[i].Prompt,
                    data[i].Completion,
                    tokenizer,
                    options.AppendEndOfSequence,
                    model.ContextLength,
                    $"{name}[{i}]",
                    name
                ),
                data[i].Desirable
            );
        if (!examples.Any(example => example.Differs(examples[0])))
            throw new ArgumentException(
                $"{name} holds one completion only, expected at least two: the reference point pairs each prompt with another example's completion",
                name
            );
        return new KtoData(this, examples);
    }

    private sealed class KtoData : PreparedData
    {
        private readonly KtoTrainer trainer;
        private readonly KtoExample[] examples;
        private readonly double[]? known;

        internal KtoData(KtoTrainer trainer, KtoExample[] examples)
        {
            this.trainer = trainer;
            this.examples = examples;
            if (trainer.options.PrecomputeReference)
                known = trainer.reference.Ask(Precompute);
        }

        internal override int Count => examples.Length;

        internal override TrainingBatch Batch(IReadOnlyList<int> indices) =>
            Batch(indices, known is null ? null : [.. indices.Select(index => known[index])]);

        private KtoBatch Batch(IReadOnlyList<int> indices, double[]? scores)
        {
            KtoExample[] chosen = [.. indices.Select(index => examples[index])];
            TokenExample[] others =
            [
                .. chosen.Select((example, i) => example.Mismatched(Other(chosen, i, indices[i]), trainer.model.ContextLength)),
            ];
            return new KtoBatch(chosen, others, trainer.model, trainer.tokenizer.PaddingId, trainer.reference, trainer.options, scores);
        }

        // Whose completion an example's prompt is paired with: in the batch as far as it has one, so that an epoch pairs all completions
        // alike.
        private KtoExample Other(KtoExample[] batch, int place, int index)
        {
            var example = batch[place];
            var all = After(batch, place).Concat(After(examples, index));
            return all.FirstOrDefault(
                other => example.HasAnotherPrompt(other) && example.Differs(other),
                all.FirstOrDefault(example.Differs)
            );

            static IEnumerable<KtoExample> After(KtoExample[] from, int start) =>
                Enumerable.Range(1, from.Length - 1).Select(i => from[(start + i) % from.Length]);
        }

        private double[] Precompute(CausalLm scorer)
        {
            var scores = new List<double>(examples.Length);
            foreach (var indices in Enumerable.Range(0, examples.Length).Chunk(trainer.options.MicroBatchSize ?? trainer.options.BatchSize))
            {
                using var scope = NewDisposeScope();
                var batch = SupervisedBatch.Of([.. indices.Select(index => examples[index].Text)], trainer.tokenizer.PaddingId);
                scores.AddRange(
                    SequenceScores.Of(scorer, batch, 0).LogProbs.sum(1L).to_type(ScalarType.Float64).cpu().data<double>().ToArray()
                );
            }
            return [.. scores];
        }
    }
}
