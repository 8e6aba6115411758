using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>A trainer on preference pairs.</summary>
/// <remarks>
/// Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>reward/chosen</c>, <c>reward/rejected</c>, <c>reward/margin</c>
/// (means of the implicit rewards), <c>reward/accuracy</c> (share of pairs whose chosen reward is the higher), <c>logp/chosen</c>,
/// <c>logp/rejected</c> (mean log-probs of the completions, in nats). A falling <c>logp/chosen</c> with a rising margin is DPO's well-known
/// behaviour, not a defect; <see cref="DpoLoss.Rpo"/> and <see cref="DpoOptions.PositivePenalty"/> hold it.
/// </remarks>
public abstract class PairTrainer : DatasetTrainer<PreferencePair>
{
    private readonly PreferenceTrainerOptions options;

    private protected PairTrainer(CausalLm model, ITokenizer tokenizer, PreferenceTrainerOptions options, ITrainerState? state = null)
        : base(model, options, state)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Model = model;
        Tokenizer = tokenizer;
        this.options = options;
    }

    private protected CausalLm Model { get; }

    private protected ITokenizer Tokenizer { get; }

    private protected override PreparedData Prepare(IReadOnlyList<PreferencePair> data, string name)
    {
        var pairs = new TokenPair[data.Count];
        for (int i = 0; i < pairs.Length; i++)
            pairs[i] = TokenPair.Of(data[i], Tokenizer, options.AppendEndOfSequence, Model.ContextLength, $"{name}[{i}]", name);
        return Prepare(pairs);
    }

    /// <summary>Data of token ids: the trainer's loss and whatever it computes once.</summary>
    internal abstract PreparedData Prepare(TokenPair[] pairs);

    /// <summary>The metrics of a part.</summary>
    private protected static void Report(PreferenceLoss loss, PairPart part, MetricMeans means)
    {
        double count = part.Count;
        means.Add("reward/chosen", loss.ChosenRewards.mean(), count);
        means.Add("reward/rejected", loss.RejectedRewards.mean(), count);
        means.Add("reward/margin", loss.Margins.mean(), count);
        means.Add("reward/accuracy", loss.Accuracy, count);
        means.Add("logp/chosen", Masked.Sum(part.Chosen.LogProbs.detach(), part.Chosen.Mask) / count, count);
        means.Add("logp/rejected", Masked.Sum(part.Rejected.LogProbs.detach(), part.Rejected.Mask) / count, count);
    }

    /// <summary>Pairs whose loss needs nothing but the part itself.</summary>
    private protected sealed class PairData(TokenPair[] pairs, CausalLm model, int paddingId, PairLoss loss, bool fromStart = false)
        : PreparedData
    {
        internal override int Count => pairs.Length;

        internal override TrainingBatch Batch(IReadOnlyList<int> indices) => Pairs(indices);

        internal PairBatch Pairs(IReadOnlyList<int> indices) =>
            new([.. indices.Select(index => pairs[index])], indices, model, paddingId, loss, fromStart);
    }
}
