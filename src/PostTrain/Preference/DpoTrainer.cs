using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Preference.Batches;
using PostTrain.Preference.Losses;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) and its family, on pairs of completions.</summary>
/// <remarks>
/// A step runs both completions of each pair through the policy and, unless its log-probs are precomputed, the reference; then it takes
/// <see cref="PreferenceLosses.Dpo"/>. The metrics are those of <see cref="PairTrainer"/>. Nothing depends on the micro-batch; losses that
/// compare pairs with each other (AOT) are refused together with <see cref="TrainingOptions.MicroBatchSize"/>.
/// </remarks>
public sealed class DpoTrainer : PairTrainer
{
    private readonly ReferenceScores? reference;
    private readonly DpoOptions options;

    /// <param name="policy">Model to train: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the policy's token ids.</param>
    /// <param name="reference">Reference of the log-ratios: a frozen model, or the policy without its adapter. Null only for
    /// reference-free losses.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There is no reference and the loss is not reference-free.</exception>
    public DpoTrainer(CausalLm policy, ITokenizer tokenizer, ReferencePolicy? reference, DpoOptions options)
        : base(policy, tokenizer, options)
    {
        if (reference is null && !options.Objective.ReferenceFree)
            throw new ArgumentException("reference is null, expected a model, as the objective is not reference-free", nameof(reference));
        this.options = options;
        this.reference = ReferenceScores.Of(reference, options);
    }

    /// <inheritdoc/>
    protected override ITrainerState? State => reference is { Moves: true } ? reference : null;

    /// <inheritdoc/>
    protected override void BeforeStep(long done) => reference?.Follow(Policy, done);

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, PairBatch> Prepare(IReadOnlyList<PreferencePair> data, string name)
    {
        var batches = base.Prepare(data, name);
        return reference?.Precompute(Session.Ranks, data.Count, (model, indices) => Sums(model, batches(indices).Sequences)) is { } known
            ? indices => batches(indices) with { ReferenceLogProbs = ReferenceScores.Known(known, indices) }
            : batches;
    }

    /// <inheritdoc/>
    protected override Tensor Loss(PairBatch batch, int start, int count, MetricMeans metrics)
    {
        var rows = batch.Part(start, count);
        var states = SequenceStates.Of(Policy, rows);
        var anchor = reference?.KnownOrAsked(batch.ReferenceLogProbs, start, states.Like(count), model => Sums(model, rows));
        return states.Loss(PairScores.UnitRows, Share, options.Objective.Loss.ComparesPairs);

        Tensor Share(SequenceScores some, int first, int pairs)
        {
            var scores = PairScores.Of(some);
            var loss = PreferenceLosses.Dpo(
                scores.Sums(options.TailWeight),
                anchor is null ? null : new PairLogProbs(anchor[0].narrow(0, first, pairs), anchor[1].narrow(0, first, pairs)),
                options.Objective,
                options.PolicyWeights ? PreferenceWeights.Wpo(scores) : null,
                batch.Rows,
                batch.MeanChosenLength
            );
            Report(loss, scores, metrics);
            return loss.Loss;
        }
    }

    // Of chosen and rejected completions, [2,b].
    private Tensor Sums(CausalLm model, SequenceBatch rows) => PairScores.SumsOf(model, rows, options.TailWeight);
}
