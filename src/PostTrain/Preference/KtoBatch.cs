using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>A batch of judged completions, and the same prompts with one another's completions for the reference point.</summary>
internal sealed class KtoBatch : TrainingBatch
{
    private readonly CausalLm model;
    private readonly ReferencePolicy reference;
    private readonly KtoTrainerOptions options;
    private readonly SupervisedBatch sequences;
    private readonly SupervisedBatch mismatched;
    private readonly Tensor desirable;
    private readonly long first;
    private readonly int size;
    private readonly double[]? known;
    private double? referencePoint;

    /// <param name="examples">The judged completions.</param>
    /// <param name="others">A mismatched sequence of each.</param>
    /// <param name="model">Scores them.</param>
    /// <param name="paddingId">Fills rows.</param>
    /// <param name="reference">Scores them too.</param>
    /// <param name="options">The objective.</param>
    /// <param name="known">The reference's log-probs of the completions, where it was asked before.</param>
    internal KtoBatch(
        IReadOnlyList<KtoExample> examples,
        IReadOnlyList<TokenExample> others,
        CausalLm model,
        int paddingId,
        ReferencePolicy reference,
        KtoTrainerOptions options,
        double[]? known
    )
    {
        this.model = model;
        this.reference = reference;
        this.options = options;
        this.known = known;
        sequences = SupervisedBatch.Of([.. examples.Select(example => example.Text)], paddingId);
        mismatched = SupervisedBatch.Of(others, paddingId);
        desirable = tensor(examples.Select(example => example.Desirable).ToArray());
        first = examples.Min(example => example.Text.PromptLength) - 1;
        size = options.MicroBatchSize ?? examples.Count;
        Tokens = sequences.AttentionMask.sum().ToDouble();
    }

    internal override int Rows => (int)sequences.Inputs.shape[0];

    internal override double Tokens { get; }

    internal override double Weight => Rows;

    internal override Tensor Loss(int start, int count, MetricMeans means)
    {
        var rows = sequences.Rows(start, count);
        referencePoint ??= ReferencePoint();
        var logProbs = Sums(model, rows);
        var anchor = known is null
            ? reference.Ask(scorer => Sums(scorer, rows))
            : tensor(known[start..(start + count)]).to(logProbs.dtype, logProbs.device);
        var labels = desirable.narrow(0, start, count).to(logProbs.device);
        var loss = UnpairedLosses.Kto(
            logProbs,
            anchor,
            labels,
            tensor(referencePoint.Value).to(logProbs.dtype, logProbs.device),
            options.Objective,
            Rows
        );
        Report(loss, logProbs.detach(), labels, means);
        return loss.Loss;
    }

    /// <summary>Summed log-probs of each row's completion, [b].</summary>
    internal Tensor Sums(CausalLm scorer, SupervisedBatch rows) => SequenceScores.Of(scorer, rows, first).LogProbs.sum(1L);

    // Of the whole batch and before its first update, so that no micro-batch has a point of its own.
    private double ReferencePoint()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var (policy, anchor) = (new List<Tensor>(), new List<Tensor>());
        for (int start = 0; start < Rows; start += size)
        {
            var rows = mismatched.Rows(start, size);
            policy.Add(Sums(model, rows));
            anchor.Add(reference.Ask(scorer => Sums(scorer, rows)));
        }
        return UnpairedLosses.ReferencePoint(cat(policy, 0), cat(anchor, 0)).ToDouble();
    }

    private void Report(UnpairedLoss loss, Tensor logProbs, Tensor labels, MetricMeans means)
    {
        means.Add("kl", referencePoint!.Value, labels.shape[0]);
        var all = labels.to_type(loss.Rewards.dtype);
        foreach (var (name, mask) in new[] { ("chosen", all), ("rejected", 1 - all) })
        {
            double count = mask.sum().ToDouble();
            means.Add($"reward/{name}", Masked.Mean(loss.Rewards, mask), count);
            means.Add($"logp/{name}", Masked.Mean(logProbs, mask), count);
        }
    }
}
