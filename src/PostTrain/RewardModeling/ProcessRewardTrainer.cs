using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.RewardModeling.Losses;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Trains a process reward model on judged steps: at the end of each step the model says whether it was right.</summary>
/// <remarks>
/// With one score a token the loss is <see cref="RewardClassificationLosses.Steps"/> (labels 0 and 1), with K of them
/// <see cref="RewardClassificationLosses.StepClasses"/> (labels 0 to K−1). Lightman et al. 2023, arXiv:2305.20050. Nothing depends on the
/// micro-batch. Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>accuracy</c> (share of steps that are judged as
/// labelled) and <c>reward/chosen</c>, <c>reward/rejected</c> (mean probability of the best class at steps labelled with it, and at the
/// others; absent where a batch has none).
/// </remarks>
public sealed class ProcessRewardTrainer : DatasetTrainer<StepwiseExample, StepwiseBatch>
{
    private readonly SequenceClassifier model;
    private readonly ITokenizer tokenizer;
    private readonly ProcessRewardOptions options;

    /// <param name="model">The trained model: its parameters that require a gradient, the head among them.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public ProcessRewardTrainer(SequenceClassifier model, ITokenizer tokenizer, ProcessRewardOptions options)
        : base(model, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, StepwiseBatch> Prepare(IReadOnlyList<StepwiseExample> data, string name)
    {
        var examples = new StepEncoding[data.Count];
        for (int i = 0; i < examples.Length; i++)
            examples[i] = Encode(data[i], $"{name}[{i}]", name);
        return indices =>
        {
            var batch = StepwiseBatch.Of([.. indices.Select(index => examples[index])], tokenizer.PaddingId);
            return batch with { Denominator = options.Aggregation.Denominator(batch.Ends) };
        };
    }

    /// <inheritdoc/>
    protected override Tensor Loss(StepwiseBatch batch, int start, int count, MetricMeans metrics)
    {
        var device = BodyParts.DeviceOf(model.Body);
        Tensor Part(Tensor values) => values.narrow(0, start, count).to(device);
        var (classes, mask) = (Part(batch.Labels), Part(batch.Ends));
        var scores = model.TokenScores(Part(batch.Ids), Part(batch.AttentionMask)).AtLeastSingle();
        var loss =
            model.Labels == 1
                ? RewardClassificationLosses.Steps(
                    scores.squeeze(-1),
                    classes.to_type(scores.dtype),
                    mask,
                    options.Aggregation,
                    batch.Denominator
                )
                : RewardClassificationLosses.StepClasses(scores, classes, mask, options.Aggregation, batch.Denominator);
        metrics.Add("accuracy", loss.Accuracy, mask.sum().ToDouble());
        Report(Probabilities(scores.detach()), classes, mask, metrics);
        return loss.Loss;
    }

    /// <summary>The probability of the best class at every token, [B,T,K] to [B,T].</summary>
    internal static Tensor Probabilities(Tensor scores) =>
        scores.shape[2] == 1 ? scores.squeeze(-1).sigmoid() : scores.softmax(-1).select(-1, scores.shape[2] - 1);

    private void Report(Tensor probabilities, Tensor classes, Tensor mask, MetricMeans metrics)
    {
        var best = mask * classes.eq(Math.Max(2, model.Labels) - 1).to_type(mask.dtype);
        foreach (var (name, counted) in new[] { ("chosen", best), ("rejected", mask - best) })
            metrics.Add($"reward/{name}", Masked.Mean(probabilities, counted), counted.sum().ToDouble());
    }

    private StepEncoding Encode(StepwiseExample example, string what, string parameter)
    {
        var encoding = StepEncoding.Of(example, tokenizer, options.Encoding);
        if (encoding.Tokens.Length > model.Body.ContextLength)
            throw new ArgumentException(
                $"{what} has {encoding.Tokens.Length} tokens, expected at most {model.Body.ContextLength}, the model's context; "
                    + $"{nameof(StepEncodingOptions.MaximumLength)} cuts",
                parameter
            );
        if (encoding.Ends.Length == 0)
            throw new ArgumentException(
                $"{what} has no step with a label among its {encoding.Tokens.Length} tokens, expected at least one",
                parameter
            );
        int classes = Math.Max(2, model.Labels);
        int wrong = Array.FindIndex(encoding.Labels, label => label < 0 || label >= classes);
        if (wrong >= 0)
            throw new ArgumentException($"{what} has the label {encoding.Labels[wrong]}, expected 0 to {classes - 1}", parameter);
        return encoding;
    }
}
