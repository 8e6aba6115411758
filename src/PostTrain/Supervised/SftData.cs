using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Demonstrations as token ids.</summary>
internal sealed class SftData(TokenExample[] examples, CausalLm model, int paddingId, SftOptions options) : PreparedData
{
    internal override int Count => examples.Length;

    internal override TrainingBatch Batch(IReadOnlyList<int> indices)
    {
        TokenExample[] chosen = [.. indices.Select(index => examples[index])];
        var batch = SupervisedBatch.Of(chosen, paddingId);
        // Of the examples one a row, however they are laid out.
        double denominator = options.Aggregation.Denominator(batch.LossMask);
        return new SftBatch(
            options.Packing ? SupervisedBatch.Packed(chosen, model.ContextLength, paddingId) : batch,
            denominator,
            model,
            options
        );
    }
}

/// <summary>A batch of demonstrations and their loss.</summary>
internal sealed class SftBatch : TrainingBatch
{
    private readonly SupervisedBatch batch;
    private readonly CausalLm model;
    private readonly SftOptions options;
    private readonly double denominator;

    internal SftBatch(SupervisedBatch batch, double denominator, CausalLm model, SftOptions options)
    {
        this.batch = batch;
        this.denominator = denominator;
        this.model = model;
        this.options = options;
        Tokens = batch.AttentionMask.ne(0).sum().ToDouble();
    }

    internal override int Rows => (int)batch.Inputs.shape[0];

    internal override double Tokens { get; }

    internal override double Weight => denominator;

    internal override Tensor Loss(int start, int count, MetricMeans means)
    {
        var rows = batch.Rows(start, count).To(BodyParts.DeviceOf(model));
        var logits = model.Project(model.Hidden(rows.Inputs, rows.AttentionMask)).AtLeastSingle();
        var loss = SupervisedLosses.CrossEntropy(
            logits,
            rows.Targets,
            rows.LossMask,
            options.CrossEntropy,
            null,
            options.Aggregation,
            denominator
        );
        means.Add("accuracy", loss.Accuracy, rows.LossMask.sum().ToDouble());
        return loss.Loss;
    }
}
