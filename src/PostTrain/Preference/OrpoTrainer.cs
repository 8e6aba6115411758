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

/// <summary>Odds-ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): supervised fine-tuning and preference in one stage,
/// without a reference.</summary>
/// <remarks>Nothing depends on the micro-batch. Metrics besides those of <see cref="PairTrainer"/>: <c>nll</c>.</remarks>
public sealed class OrpoTrainer : PairTrainer
{
    private readonly OrpoOptions options;

    /// <param name="policy">Model to train: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the policy's token ids.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public OrpoTrainer(CausalLm policy, ITokenizer tokenizer, OrpoOptions options)
        : base(policy, tokenizer, options) => this.options = options;

    /// <inheritdoc/>
    protected override Tensor Loss(PairBatch batch, int start, int count, MetricMeans metrics)
    {
        bool onText = options.Likelihood == OrpoLikelihood.PromptAndCompletion;
        var rows = batch.Part(start, count);
        // The likelihood of prompts needs the logits of all columns.
        return SequenceStates.Of(Policy, onText ? rows with { FirstColumn = 0 } : rows).Loss(PairScores.UnitRows, Share);

        Tensor Share(SequenceScores some, int first, int pairs)
        {
            var scores = PairScores.Of(some);
            var likelihood = onText
                ? TextLikelihood(scores.Chosen, batch)
                : LossAggregation.SequenceMean.Apply(scores.Chosen.LogProbs.neg(), scores.Chosen.Mask, batch.Rows);
            var loss = PreferenceLosses.Orpo(scores.Sums(), options.Lambda, likelihood, batch.Rows);
            Report(loss, scores, metrics);
            metrics.Add("nll", likelihood.ToDouble() * batch.Rows / pairs, pairs);
            return loss.Loss;
        }
    }

    // −log π of prompts and chosen completions as a mean over the batch's tokens, but for the first of each, which nothing predicts.
    private static Tensor TextLikelihood(SequenceScores chosen, PairBatch batch)
    {
        var mask = TextMask(chosen.Mask);
        double tokens = TextMask(batch.Sequences.LossMask.narrow(0, 0, batch.Rows)).sum().ToDouble();
        return LossAggregation.TokenMean.Apply(TokenLogProbs.Gather(chosen.Logits, chosen.Targets, mask).neg(), mask, tokens);
    }

    // 1 up to a row's last counted target: a completion ends its sequence.
    private static Tensor TextMask(Tensor lossMask) => lossMask.flip(1).cumsum(1).flip(1).ne(0).to_type(lossMask.dtype);
}
