using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>A batch of preference pairs under a reward model: both completions of a pair go through the model in one pass.</summary>
internal sealed class RewardBatch : TrainingBatch
{
    private readonly SequenceClassifier model;
    private readonly BradleyTerryOptions objective;
    private readonly Tensor ids;
    private readonly Tensor mask;
    private readonly Tensor? margins;
    private readonly Tensor? probabilities;

    internal RewardBatch(IReadOnlyList<RewardPair> pairs, SequenceClassifier model, int paddingId, BradleyTerryOptions objective)
    {
        this.model = model;
        this.objective = objective;
        Rows = pairs.Count;
        int[][] rows = [.. pairs.Select(pair => pair.Chosen), .. pairs.Select(pair => pair.Rejected)];
        ids = SequencePadding.Pad(rows, paddingId);
        mask = RewardText.Mask(rows);
        if (pairs.Any(pair => pair.Margin != 0))
            margins = tensor(pairs.Select(pair => pair.Margin).ToArray());
        // A smoothed label is the other way round with probability ε.
        double smoothing = objective.LabelSmoothing;
        if (pairs.Any(pair => pair.Probability != 1))
            probabilities = tensor(pairs.Select(pair => pair.Probability * (1 - 2 * smoothing) + smoothing).ToArray());
        Tokens = rows.Sum(row => row.Length);
    }

    internal override int Rows { get; }

    internal override double Tokens { get; }

    internal override double Weight => Rows;

    internal override Tensor Loss(int start, int count, MetricMeans means)
    {
        var scores = model.Score(Both(ids), Both(mask)).squeeze(1).AtLeastSingle();
        var (chosen, rejected) = (scores.narrow(0, 0, count), scores.narrow(0, count, count));
        var margin = margins?.narrow(0, start, count).to(scores.dtype, scores.device);
        var loss = probabilities?.narrow(0, start, count).to(scores.dtype, scores.device) is { } soft
            ? RewardModelLosses.SoftBradleyTerry(chosen, rejected, soft, margin, objective.CenteringCoefficient, Rows)
            : RewardModelLosses.BradleyTerry(chosen, rejected, margin, objective, Rows);
        means.Add("reward/chosen", chosen.detach().mean(), count);
        means.Add("reward/rejected", rejected.detach().mean(), count);
        means.Add("reward/margin", loss.Margin, count);
        means.Add("reward/mean", loss.MeanReward, count);
        means.Add("reward/accuracy", loss.Accuracy, count);
        return loss.Loss;

        Tensor Both(Tensor values) =>
            cat([values.narrow(0, start, count), values.narrow(0, Rows + start, count)], 0).to(BodyParts.DeviceOf(model.Body));
    }
}
