using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>A batch of solutions with judged steps under a process reward model.</summary>
internal sealed class StepBatch : TrainingBatch
{
    private readonly SequenceClassifier model;
    private readonly LossAggregation aggregation;
    private readonly Tensor ids;
    private readonly Tensor attention;
    private readonly Tensor labels;
    private readonly Tensor ends;

    internal StepBatch(IReadOnlyList<StepEncoding> examples, SequenceClassifier model, int paddingId, LossAggregation aggregation)
    {
        this.model = model;
        this.aggregation = aggregation;
        Rows = examples.Count;
        int[][] rows = [.. examples.Select(example => example.Tokens)];
        ids = SequencePadding.Pad(rows, paddingId);
        attention = RewardText.Mask(rows);
        var (classes, counted) = (new long[Rows, ids.shape[1]], new float[Rows, ids.shape[1]]);
        for (int row = 0; row < Rows; row++)
            foreach (var (end, label) in examples[row].Ends.Zip(examples[row].Labels))
                (classes[row, end], counted[row, end]) = (label, 1);
        labels = tensor(classes);
        ends = tensor(counted);
        Weight = aggregation.Denominator(ends);
        Tokens = rows.Sum(row => row.Length);
    }

    internal override int Rows { get; }

    internal override double Tokens { get; }

    internal override double Weight { get; }

    internal override Tensor Loss(int start, int count, MetricMeans means)
    {
        var device = BodyParts.DeviceOf(model.Body);
        Tensor Part(Tensor values) => values.narrow(0, start, count).to(device);
        var (classes, mask) = (Part(labels), Part(ends));
        var scores = model.TokenScores(Part(ids), Part(attention)).AtLeastSingle();
        var loss =
            model.Labels == 1
                ? RewardClassificationLosses.Steps(scores.squeeze(-1), classes.to_type(scores.dtype), mask, aggregation, Weight)
                : RewardClassificationLosses.StepClasses(scores, classes, mask, aggregation, Weight);
        means.Add("accuracy", loss.Accuracy, mask.sum().ToDouble());
        Report(Probabilities(scores.detach()), classes, mask, means);
        return loss.Loss;
    }

    /// <summary>The probability of the best class at every token, [B,T,K] to [B,T].</summary>
    internal static Tensor Probabilities(Tensor scores) =>
        scores.shape[2] == 1 ? scores.squeeze(-1).sigmoid() : scores.softmax(-1).select(-1, scores.shape[2] - 1);

    private void Report(Tensor probabilities, Tensor classes, Tensor mask, MetricMeans means)
    {
        var best = mask * classes.eq(Math.Max(2, model.Labels) - 1).to_type(mask.dtype);
        foreach (var (name, counted) in new[] { ("chosen", best), ("rejected", mask - best) })
            means.Add($"reward/{name}", Masked.Mean(probabilities, counted), counted.sum().ToDouble());
    }
}
