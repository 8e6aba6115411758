using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Preference.Batches;
using PostTrain.Preference.Losses;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Preference;

/// <summary>Base of trainers on preference pairs.</summary>
/// <remarks>
/// Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>reward/chosen</c>, <c>reward/rejected</c>, <c>reward/margin</c>
/// (means of the implicit rewards), <c>reward/accuracy</c> (share of pairs whose chosen reward is the higher), <c>logp/chosen</c>,
/// <c>logp/rejected</c> (mean log-probs of the completions, in nats). A falling <c>logp/chosen</c> with a rising margin is DPO's well-known
/// behaviour, not a defect; <see cref="DpoLoss.Rpo"/> and <see cref="DpoObjective.PositivePenalty"/> counteract it.
/// </remarks>
public abstract class PairTrainer : DatasetTrainer<PreferencePair, PairBatch>
{
    private readonly PreferenceOptions options;

    /// <param name="policy">Model to train: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the policy's token ids.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    protected PairTrainer(CausalLm policy, ITokenizer tokenizer, PreferenceOptions options)
        : base(policy, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Policy = policy;
        Tokenizer = tokenizer;
        this.options = options;
    }

    /// <summary>The model that is trained.</summary>
    protected CausalLm Policy { get; }

    /// <summary>Turns texts into the policy's token ids.</summary>
    protected ITokenizer Tokenizer { get; }

    /// <inheritdoc/>
    /// <remarks>Completions that do not fit the policy are cut as the options say, or refused. A pair is left out if no token of one of
    /// its completions is learnt.</remarks>
    protected override Func<IReadOnlyList<int>, PairBatch> Prepare(IReadOnlyList<PreferencePair> data, string name)
    {
        ArgumentNullException.ThrowIfNull(data);
        var encoder = Encoder(Tokenizer, Policy.ContextLength, options.AppendEndOfSequence);
        var pairs = new (TokenExample Chosen, TokenExample Rejected)[data.Count];
        for (int i = 0; i < pairs.Length; i++)
        {
            var chosen = encoder.Encode(data[i].Prompt, data[i].Chosen, $"{name}[{i}].{nameof(PreferencePair.Chosen)}");
            var rejected = encoder.Encode(data[i].Prompt, data[i].Rejected, $"{name}[{i}].{nameof(PreferencePair.Rejected)}");
            pairs[i] = (chosen, rejected);
            if (!chosen.HasLearnt || !rejected.HasLearnt)
                Notes.Drop(i);
        }
        return indices => PairBatch.Of([.. indices.Select(index => pairs[index])], Tokenizer.PaddingId);
    }

    /// <summary>Adds the metrics of a part.</summary>
    /// <param name="loss">Loss of the part.</param>
    /// <param name="scores">Scores of the part under the policy.</param>
    /// <param name="metrics">Takes them.</param>
    protected static void Report(PreferenceLoss loss, PairScores scores, MetricMeans metrics)
    {
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(metrics);
        double count = scores.Count;
        metrics.Add("reward/chosen", loss.ChosenRewards.mean(), count);
        metrics.Add("reward/rejected", loss.RejectedRewards.mean(), count);
        metrics.Add("reward/margin", loss.Margins.mean(), count);
        metrics.Add("reward/accuracy", loss.Accuracy, count);
        metrics.Add("logp/chosen", Masked.Sum(scores.Chosen.LogProbs.detach(), scores.Chosen.Mask) / count, count);
        metrics.Add("logp/rejected", Masked.Sum(scores.Rejected.LogProbs.detach(), scores.Rejected.Mask) / count, count);
    }
}
