using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Preference.Batches;
using PostTrain.Preference.Losses;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Preference optimisation without a reference: CPO, SimPO, AlphaPO (<see cref="CpoObjective"/>). One forward pass a pair, half of
/// DPO's.</summary>
/// <remarks>The likelihood term is a mean over the chosen tokens of the whole batch, so nothing depends on the micro-batch. Metrics: those
/// of <see cref="PairTrainer"/>.</remarks>
public sealed class CpoTrainer : PairTrainer
{
    private readonly CpoOptions options;

    /// <param name="policy">Model to train: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the policy's token ids.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public CpoTrainer(CausalLm policy, ITokenizer tokenizer, CpoOptions options)
        : base(policy, tokenizer, options) => this.options = options;

    /// <inheritdoc/>
    protected override Tensor Loss(PairBatch batch, int start, int count, MetricMeans metrics)
    {
        return SequenceStates.Of(Policy, batch.Part(start, count)).Loss(PairScores.UnitRows, Share);

        Tensor Share(SequenceScores some, int first, int pairs)
        {
            var scores = PairScores.Of(some);
            // The likelihood term is added here, over the whole batch's tokens.
            var loss = PreferenceLosses.Cpo(scores.Sums(), options.Objective with { LikelihoodWeight = 0 }, batch.Rows);
            Report(loss, scores, metrics);
            double weight = options.Objective.LikelihoodWeight;
            if (weight == 0)
                return loss.Loss;
            var (logProbs, mask) = (scores.Chosen.LogProbs, scores.Chosen.Mask);
            return loss.Loss + LossAggregation.TokenMean.Apply(logProbs.neg(), mask, batch.ChosenTokens) * weight;
        }
    }
}
