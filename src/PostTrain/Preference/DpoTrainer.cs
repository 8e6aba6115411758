using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) and its family, on pairs of completions.</summary>
/// <remarks>
/// Each step: both completions of each pair through the policy, and, unless it was asked beforehand, through the reference; then
/// <see cref="PreferenceLosses.Dpo"/>. The metrics are those of <see cref="PairTrainer"/>. Nothing depends on the micro-batch; losses that
/// compare pairs with each other (AOT) are refused together with <see cref="TrainingOptions.MicroBatchSize"/>.
/// </remarks>
public sealed class DpoTrainer : PairTrainer
{
    private readonly ReferencePolicy? reference;
    private readonly MovingReference? moving;
    private readonly DpoTrainerOptions options;

    /// <param name="model">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="reference">What the policy is held near to: a frozen model, or the policy without its adapter. Null only for
    /// reference-free losses.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There is no reference and the loss is not reference-free.</exception>
    public DpoTrainer(CausalLm model, ITokenizer tokenizer, DpoTrainerOptions options, ReferencePolicy? reference)
        : this(model, tokenizer, options, reference, MovingReference.Of(reference, options)) { }

    private DpoTrainer(CausalLm model, ITokenizer tokenizer, DpoTrainerOptions options, ReferencePolicy? reference, MovingReference? moving)
        : base(model, tokenizer, options, moving)
    {
        if (reference is null && !options.Objective.ReferenceFree)
            throw new ArgumentException("reference is null, expected a model, as the objective is not reference-free", nameof(reference));
        this.options = options;
        this.reference = reference;
        this.moving = moving;
    }

    private protected override void BeforeStep(long step)
    {
        if (moving is not null && step > 0 && step % options.ReferenceSyncEvery == 0)
            moving.Follow(Model, options.ReferenceMix, step);
    }

    internal override PreparedData Prepare(TokenPair[] pairs)
    {
        ReferenceScores? known = null;
        var data = new PairData(pairs, Model, Tokenizer.PaddingId, Loss);
        if (options.PrecomputeReference && reference is not null)
            known = reference.Ask(model => Precompute(model, data));
        return data;

        Tensor Loss(PairPart part, IReadOnlyList<int> indices, MetricMeans means)
        {
            var anchor = known?.Of(indices, part.Chosen.LogProbs) ?? reference?.Ask(model => part.Sums(model, options.TailWeight));
            var weights = options.PolicyWeights
                ? PreferenceWeights.Wpo(
                    part.Chosen.Logits,
                    part.Chosen.Targets,
                    part.Chosen.Mask,
                    part.Rejected.Logits,
                    part.Rejected.Targets,
                    part.Rejected.Mask
                )
                : null;
            var loss = PreferenceLosses.Dpo(
                part.Sums(options.TailWeight),
                anchor,
                options.Objective,
                weights,
                part.Pairs,
                part.MeanChosenLength
            );
            Report(loss, part, means);
            return loss.Loss;
        }
    }

    private ReferenceScores Precompute(CausalLm model, PairData data)
    {
        var scores = new ReferenceScores(new double[data.Count], new double[data.Count]);
        foreach (var indices in Enumerable.Range(0, data.Count).Chunk(options.MicroBatchSize ?? options.BatchSize))
        {
            using var scope = NewDisposeScope();
            var sums = data.Pairs(indices).Part(model, 0, indices.Length).Sums(options.TailWeight);
            sums.Chosen.to_type(ScalarType.Float64).cpu().data<double>().CopyTo(scores.Chosen, indices[0]);
            sums.Rejected.to_type(ScalarType.Float64).cpu().data<double>().CopyTo(scores.Rejected, indices[0]);
        }
        return scores;
    }

    // Plain numbers: they live as long as the data, and no tensor has to.
    private sealed record ReferenceScores(double[] Chosen, double[] Rejected)
    {
        internal PairLogProbs Of(IReadOnlyList<int> indices, Tensor like) =>
            new(Pick(Chosen, indices, like), Pick(Rejected, indices, like));

        private static Tensor Pick(double[] values, IReadOnlyList<int> indices, Tensor like) =>
            tensor(indices.Select(index => values[index]).ToArray()).to(like.dtype, like.device);
    }
}
