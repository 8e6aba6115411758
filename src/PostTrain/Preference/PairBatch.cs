using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Supervised;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>The loss of some pairs of a batch, as a share of the whole batch's.</summary>
/// <param name="part">The pairs.</param>
/// <param name="indices">Their numbers in the data set.</param>
/// <param name="means">For the objective's metrics.</param>
internal delegate Tensor PairLoss(PairPart part, IReadOnlyList<int> indices, MetricMeans means);

/// <summary>A batch of preference pairs: both completions of a pair go through the model in one pass.</summary>
internal sealed class PairBatch : TrainingBatch
{
    private readonly SupervisedBatch sequences;
    private readonly IReadOnlyList<int> indices;
    private readonly CausalLm model;
    private readonly PairLoss loss;
    private readonly long first;
    private readonly double chosenTokens;
    private readonly double chosenTextTokens;

    internal PairBatch(
        IReadOnlyList<TokenPair> pairs,
        IReadOnlyList<int> indices,
        CausalLm model,
        int paddingId,
        PairLoss loss,
        bool fromStart
    )
    {
        this.indices = indices;
        this.model = model;
        this.loss = loss;
        sequences = SupervisedBatch.Of([.. pairs.Select(pair => pair.Chosen), .. pairs.Select(pair => pair.Rejected)], paddingId);
        // Before this column no completion has begun.
        first = fromStart ? 0 : pairs.Min(pair => Math.Min(pair.Chosen.PromptLength, pair.Rejected.PromptLength)) - 1;
        var chosenMask = sequences.LossMask.narrow(0, 0, pairs.Count);
        chosenTokens = chosenMask.sum().ToDouble();
        chosenTextTokens = PairPart.TextMask(chosenMask).sum().ToDouble();
        Tokens = sequences.AttentionMask.sum().ToDouble();
    }

    internal override int Rows => indices.Count;

    internal override double Tokens { get; }

    internal override double Weight => indices.Count;

    internal override Tensor Loss(int start, int count, MetricMeans means) =>
        loss(Part(model, start, count), [.. indices.Skip(start).Take(count)], means);

    /// <summary>Some pairs as a model sees them.</summary>
    internal PairPart Part(CausalLm scorer, int start, int count)
    {
        var rows = new SupervisedBatch(
            Both(sequences.Inputs),
            Both(sequences.AttentionMask),
            Both(sequences.Targets),
            Both(sequences.LossMask)
        ).To(BodyParts.DeviceOf(scorer));
        var scores = SequenceScores.Of(scorer, rows, first);
        return new PairPart(scores.Rows(0, count), scores.Rows(count, count), rows, start, indices.Count, chosenTokens, chosenTextTokens);

        Tensor Both(Tensor values) => cat([values.narrow(0, start, count), values.narrow(0, indices.Count + start, count)], 0);
    }
}
