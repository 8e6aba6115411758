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

    /// <param name="model">The trained model: its parameters that require a gradient, the head among them. One score a sequence.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Options, validated here.</param>
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
        // A reward is read at a sequence's last token: all of them are input, so that no more than the context fit.
        var encoder = Encoder(tokenizer, model.Body.ContextLength - 1, options.AppendEndOfSequence);
        var pairs = new RewardPair[data.Count];
        for (int i = 0; i < pairs.Length; i++)
        {
            var (pair, what) = (data[i], $"{name}[{i}]");
            var chosen = Encode(encoder, pair.Prompt, pair.Chosen, $"{what}.{nameof(PreferencePair.Chosen)}", name);
            var rejected = Encode(encoder, pair.Prompt, pair.Rejected, $"{what}.{nameof(PreferencePair.Rejected)}", name);
            if (options.Truncation is not null && !(chosen.HasLearnt && rejected.HasLearnt))
                Notes.Drop(i);
            if (pair.Probability is not (>= 0 and <= 1))
                throw new ArgumentException(
                    FormattableString.Invariant($"{what}.{nameof(PreferencePair.Probability)} is {pair.Probability}, expected 0 to 1"),
                    name
                );
            pairs[i] = new RewardPair(chosen.Ids, rejected.Ids, Margin(pair, what), pair.Probability);
        }
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

    private TokenExample Encode(ExampleEncoder encoder, MarkedText prompt, MarkedText completion, string what, string parameter)
    {
        // The whole text is judged, whatever of it a policy would learn.
        var example = encoder.EncodeJudged(prompt, completion, what);
        if (example.Ids.Length == 0 || example.Ids.Length > model.Body.ContextLength)
            throw new ArgumentException(
                $"{what} has {example.Ids.Length} tokens with its prompt, expected 1 to {model.Body.ContextLength}, the model's context",
                parameter
            );
        return example;
    }

    private double Margin(PreferencePair pair, string what)
    {
        double margin = options.Margin?.Invoke(pair) ?? 0;
        return double.IsFinite(margin)
            ? margin
            : throw new ArgumentException(FormattableString.Invariant($"the margin of {what} is {margin}, expected a finite number"));
    }
}
