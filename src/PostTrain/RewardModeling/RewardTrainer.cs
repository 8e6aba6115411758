using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.RewardModeling.Losses;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Trains an outcome reward model on preference pairs: the chosen completion of a prompt is to score higher than the rejected
/// one.</summary>
/// <remarks>
/// Loss: <see cref="RewardModelLosses.BradleyTerry"/> of the scores at the sequences' last tokens (Ouyang et al. 2022, arXiv:2203.02155,
/// section 3.5), with soft labels where pairs have a <see cref="PreferencePair.Probability"/> below 1. Nothing depends on the micro-batch.
/// Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>reward/chosen</c>, <c>reward/rejected</c>, <c>reward/margin</c>,
/// <c>reward/mean</c>, <c>reward/accuracy</c> (share of pairs whose chosen reward is the higher). What comes out becomes a reward by
/// <see cref="LearnedRewards.Outcome"/>.
/// </remarks>
public sealed class RewardTrainer : DatasetTrainer<PreferencePair, RewardBatch>
{
    private readonly SequenceClassifier model;
    private readonly ITokenizer tokenizer;
    private readonly RewardOptions options;

    /// <param name="model">What is trained: its parameters that require a gradient, the head among them. One score a sequence.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The model has more than one score.</exception>
    public RewardTrainer(SequenceClassifier model, ITokenizer tokenizer, RewardOptions options)
        : base(model, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        RewardText.OneScore(model, nameof(model));
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, RewardBatch> Prepare(IReadOnlyList<PreferencePair> data, string name)
    {
        var pairs = new RewardPair[data.Count];
        for (int i = 0; i < pairs.Length; i++)
            pairs[i] = new RewardPair(
                Encode(data[i].Prompt, data[i].Chosen, $"{name}[{i}].{nameof(PreferencePair.Chosen)}", name),
                Encode(data[i].Prompt, data[i].Rejected, $"{name}[{i}].{nameof(PreferencePair.Rejected)}", name),
                Margin(data[i], $"{name}[{i}]"),
                data[i].Probability is >= 0 and <= 1 and var probability
                    ? probability
                    : throw new ArgumentException(
                        FormattableString.Invariant(
                            $"{name}[{i}].{nameof(PreferencePair.Probability)} is {data[i].Probability}, expected 0 to 1"
                        ),
                        name
                    )
            );
        return indices => RewardBatch.Of([.. indices.Select(index => pairs[index])], tokenizer.PaddingId);
    }

    /// <inheritdoc/>
    protected override Tensor Loss(RewardBatch batch, int start, int count, MetricMeans metrics)
    {
        var device = BodyParts.DeviceOf(model.Body);
        Tensor Both(Tensor values) => RewardBatch.Both(values, start, count).to(device);
        var scores = model.Score(Both(batch.Ids), Both(batch.AttentionMask)).squeeze(1).AtLeastSingle();
        var (chosen, rejected) = (scores.narrow(0, 0, count), scores.narrow(0, count, count));
        Tensor? Part(Tensor? values) => values?.narrow(0, start, count).to(scores.dtype, scores.device);
        var objective = options.Objective;
        // A smoothed label is the other way round with probability ε.
        var soft = Part(batch.Probabilities?.mul(1 - 2 * objective.LabelSmoothing).add(objective.LabelSmoothing));
        var loss = soft is null
            ? RewardModelLosses.BradleyTerry(chosen, rejected, Part(batch.Margins), objective, batch.Rows)
            : RewardModelLosses.SoftBradleyTerry(chosen, rejected, soft, Part(batch.Margins), objective.CenteringCoefficient, batch.Rows);
        metrics.Add("reward/chosen", chosen.detach().mean(), count);
        metrics.Add("reward/rejected", rejected.detach().mean(), count);
        metrics.Add("reward/margin", loss.Margin, count);
        metrics.Add("reward/mean", loss.MeanReward, count);
        metrics.Add("reward/accuracy", loss.Accuracy, count);
        return loss.Loss;
    }

    private int[] Encode(MarkedText prompt, MarkedText completion, string what, string parameter)
    {
        int[] ids = RewardText.Encode(prompt, completion, tokenizer, options.AppendEndOfSequence);
        if (ids.Length == 0 || ids.Length > model.Body.ContextLength)
            throw new ArgumentException(
                $"{what} has {ids.Length} tokens with its prompt, expected 1 to {model.Body.ContextLength}, the model's context",
                parameter
            );
        return ids;
    }

    private double Margin(PreferencePair pair, string what)
    {
        double margin = options.Margin?.Invoke(pair) ?? 0;
        return double.IsFinite(margin)
            ? margin
            : throw new ArgumentException(FormattableString.Invariant($"the margin of {what} is {margin}, expected a finite number"));
    }
}
