using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Text;
using PostTrain.Training;

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
public sealed class RewardTrainer : DatasetTrainer<PreferencePair>
{
    private readonly SequenceClassifier model;
    private readonly ITokenizer tokenizer;
    private readonly RewardTrainerOptions options;

    /// <param name="model">What is trained: its parameters that require a gradient, the head among them. One score a sequence.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The model has more than one score.</exception>
    public RewardTrainer(SequenceClassifier model, ITokenizer tokenizer, RewardTrainerOptions options)
        : base(model, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        RewardText.OneScore(model, nameof(model));
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    private protected override PreparedData Prepare(IReadOnlyList<PreferencePair> data, string name)
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
        return new RewardData(this, pairs);
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

    private sealed class RewardData(RewardTrainer trainer, RewardPair[] pairs) : PreparedData
    {
        internal override int Count => pairs.Length;

        internal override TrainingBatch Batch(IReadOnlyList<int> indices) =>
            new RewardBatch(
                [.. indices.Select(index => pairs[index])],
                trainer.model,
                trainer.tokenizer.PaddingId,
                trainer.options.Objective
            );
    }
}
