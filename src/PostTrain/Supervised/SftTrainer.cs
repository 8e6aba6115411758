using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Supervised fine-tuning: makes given completions of given prompts likely.</summary>
/// <remarks>
/// Loss: the cross-entropy of the completions' tokens, see <see cref="SupervisedLosses.CrossEntropy"/>. Metrics besides those of
/// <see cref="DatasetTrainer{TExample}"/>: <c>accuracy</c> (share of tokens that were the most likely).
/// </remarks>
public sealed class SftTrainer : DatasetTrainer<Demonstration, SequenceBatch>
{
    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly SftOptions options;

    /// <param name="model">The trained model: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public SftTrainer(CausalLm model, ITokenizer tokenizer, SftOptions options)
        : base(model, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, SequenceBatch> Prepare(IReadOnlyList<Demonstration> data, string name)
    {
        var examples = Encode(data, name, Encoder(tokenizer, model.ContextLength, options.AppendEndOfSequence));
        return indices => Batch([.. indices.Select(index => examples[index])], model, tokenizer.PaddingId, options);
    }

    /// <inheritdoc/>
    protected override Tensor Loss(SequenceBatch batch, int start, int count, MetricMeans metrics) =>
        Loss(model, batch, start, count, metrics, options);

    /// <summary>Lays out demonstrations.</summary>
    internal static SequenceBatch Batch(TokenExample[] examples, CausalLm model, int paddingId, SftOptions options)
    {
        var batch = SequenceBatch.Of(examples, paddingId);
        // Of the examples one a row, however they are laid out.
        double denominator = options.Aggregation.Denominator(batch.LossMask);
        return (options.Packing ? SequenceBatch.Packed(examples, model.ContextLength, paddingId) : batch) with
        {
            Denominator = denominator,
        };
    }

    /// <summary>Cross-entropy of some rows, as a share of their batch's.</summary>
    internal static Tensor Loss(CausalLm model, SequenceBatch batch, int start, int count, MetricMeans metrics, SftOptions options)
    {
        var rows = batch.Part(start, count).To(BodyParts.DeviceOf(model));
        var hidden = model.Hidden(rows.Inputs, rows.AttentionMask);
        var plain = options.Objective.IsPlain ? model.OutputWeight : null;
        var loss =
            (
                plain is null
                    ? null
                    : SupervisedLosses.OfHidden(hidden, plain, rows.Targets, rows.LossMask, options.Aggregation, batch.Denominator)
            )
            ?? SupervisedLosses.CrossEntropy(
                model.Project(hidden).AtLeastSingle(),
                rows.Targets,
                rows.LossMask,
                options.Objective,
                null,
                options.Aggregation,
                batch.Denominator
            );
        metrics.Add("accuracy", loss.Accuracy, rows.LossMask.sum().ToDouble());
        return loss.Loss;
    }
}
