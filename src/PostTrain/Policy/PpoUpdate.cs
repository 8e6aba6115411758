using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>One optimiser step's loss, in parts that add up.</summary>
internal sealed class PpoUpdate(
    PpoBatch batch,
    ActorCritic model,
    PpoOptions options,
    SamplingOptions sampling,
    bool criticOnly,
    MetricMeans means
)
{
    private readonly int size = options.MicroBatchSize ?? batch.Count;
    private readonly PolicyDenominators denominators = options.Objective.Denominators(batch.Mask);
    private readonly double tokens = LossAggregation.TokenMean.Denominator(batch.Mask);
    private double oldKl;

    /// <summary>In how many parts the batch goes through the model.</summary>
    internal int Parts => (batch.Count + size - 1) / size;

    /// <summary>Mean estimate of KL(π_old‖π) over the batch's tokens, of the parts whose loss was taken.</summary>
    internal double OldKl => oldKl / Math.Max(tokens, 1);

    /// <summary>A part's share of the loss.</summary>
    internal Tensor Loss(int part)
    {
        using var scope = NewDisposeScope();
        var rows = batch.Part((long)part * size, Math.Min(size, batch.Count - part * size));
        double weight = LossAggregation.TokenMean.Denominator(rows.Mask);
        if (criticOnly)
            return Value(model.Values(rows.Rows), rows, weight).MoveToOuterDisposeScope();
        var scores = model.Score(rows.Rows, sampling);
        return (Policy(scores, rows, weight) + Value(scores.Values, rows, weight)).MoveToOuterDisposeScope();
    }

    private Tensor Policy(ActorCriticScores scores, PpoBatch rows, double weight)
    {
        var objective = options.Objective;
        var entropy =
            objective.EntropyCoefficient > 0 ? TokenLogProbs.Entropy(scores.Logits) : TokenLogProbs.Entropy(scores.Logits.detach());
        var loss = objective.Loss(
            new PolicyBatch(scores.LogProbs, rows.Rows.LogProbs, rows.Advantages, rows.Mask)
            {
                ReferenceLogProbs = objective.Beta > 0 ? rows.ReferenceLogProbs : null,
                Entropy = entropy,
            },
            denominators
        );
        means.AddShare("policy/loss", loss.Loss, Parts);
        means.Add("policy/clip_fraction", loss.ClipFraction, weight);
        means.Add("policy/old_kl", loss.OldKl, weight);
        means.Add("entropy", Masked.Mean(entropy.detach(), rows.Mask), weight);
        oldKl += loss.OldKl.ToDouble() * weight;
        return loss.Loss;
    }

    private Tensor Value(Tensor states, PpoBatch rows, double weight)
    {
        var values = states.narrow(1, 0, rows.Mask.shape[1]).to_type(rows.Returns.dtype);
        var loss = PolicyLosses.Value(values, rows.Values, rows.Returns, rows.Mask, options.ValueClip, LossAggregation.TokenMean, tokens);
        means.AddShare("value/loss", loss.Loss, Parts);
        means.Add("value/clip_fraction", loss.ClipFraction, weight);
        return loss.Loss * options.ValueCoefficient;
    }
}
