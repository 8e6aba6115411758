using PostTrain.Data;
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

/// <summary>Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306): learns from completions that were each judged
/// alone.</summary>
/// <remarks>
/// The reference point is estimated on the whole batch, each prompt with the next other completion of another prompt: of the batch, else of
/// the data set; where all have
/// one prompt, with its next other completion. So nothing depends on the micro-batch. Data with a single completion are refused.
/// Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>kl</c> (the reference point), <c>reward/chosen</c>,
/// <c>reward/rejected</c>, <c>logp/chosen</c>, <c>logp/rejected</c> (means over the desirable and the undesirable completions; absent where
/// a batch has none).
/// </remarks>
public sealed class KtoTrainer : DatasetTrainer<JudgedCompletion, KtoBatch>
{
    private readonly CausalLm policy;
    private readonly ITokenizer tokenizer;
    private readonly KtoOptions options;
    private readonly ReferenceScores reference;

    /// <param name="policy">Model to train: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the policy's token ids.</param>
    /// <param name="reference">A frozen model, or the policy without its adapter.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public KtoTrainer(CausalLm policy, ITokenizer tokenizer, ReferencePolicy reference, KtoOptions options)
        : base(policy, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(reference);
        this.policy = policy;
        this.tokenizer = tokenizer;
        this.options = options;
        this.reference = ReferenceScores.Of(reference, options)!;
    }

    /// <inheritdoc/>
    protected override ITrainerState? State => reference.Moves ? reference : null;

    /// <inheritdoc/>
    protected override void BeforeStep(long done) => reference.Follow(policy, done);

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, KtoBatch> Prepare(IReadOnlyList<JudgedCompletion> data, string name)
    {
        var encoder = Encoder(tokenizer, policy.ContextLength, options.AppendEndOfSequence);
        var examples = new KtoExample[data.Count];
        for (int i = 0; i < examples.Length; i++)
        {
            examples[i] = new KtoExample(encoder.Encode(data[i].Prompt, data[i].Completion, $"{name}[{i}]"), data[i].Desirable);
            if (!examples[i].Text.HasLearnt)
                Notes.Drop(i);
        }
        KtoExample[] learnt = [.. examples.Where(example => example.Text.HasLearnt)];
        if (learnt.Length > 0 && !learnt.Any(example => example.Differs(learnt[0])))
            throw new ArgumentException(
                $"{name} holds one completion only, expected at least two: the reference point pairs each prompt with another "
                    + "example's completion",
                name
            );
        var known = reference.Precompute(
            Session.Ranks,
            examples.Length,
            (model, indices) => Sums(model, Layout(indices.Select(index => examples[index].Text)) with { FirstColumn = 0 })
        );
        return indices =>
        {
            KtoExample[] chosen = [.. indices.Select(index => examples[index])];
            var others = chosen.Select(
                (example, i) => example.Mismatched(KtoExample.Partner(chosen, i, examples, indices[i]), policy.ContextLength)
            );
            return new KtoBatch(
                Layout(chosen.Select(example => example.Text)),
                Layout(others),
                tensor(chosen.Select(example => example.Desirable).ToArray())
            )
            {
                ReferenceLogProbs = ReferenceScores.Known(known, indices),
            };
        };

        SequenceBatch Layout(IEnumerable<TokenExample> texts) => SequenceBatch.Of([.. texts], tokenizer.PaddingId);
    }

    private protected override void Complete(KtoBatch batch) => batch.ReferencePoint ??= ReferencePoint(batch.Mismatched);

    /// <inheritdoc/>
    protected override Tensor Loss(KtoBatch batch, int start, int count, MetricMeans metrics)
    {
        double point = batch.ReferencePoint ??= ReferencePoint(batch.Mismatched);
        var rows = batch.Sequences.Part(start, count);
        var states = SequenceStates.Of(policy, rows);
        var anchor = reference.KnownOrAsked(batch.ReferenceLogProbs, start, states.Like(count), model => Sums(model, rows))[0];
        metrics.Add("kl", point, count);
        return states.Loss(1, Share);

        Tensor Share(SequenceScores scores, int first, int some)
        {
            var logProbs = scores.Sums();
            var desirable = batch.Desirable.narrow(0, start + first, some).to(logProbs.device);
            var loss = UnpairedLosses.Kto(
                logProbs,
                anchor.narrow(0, first, some),
                desirable,
                tensor(point).to(logProbs.dtype, logProbs.device),
                options.Objective,
                batch.Rows
            );
            var mask = desirable.to_type(loss.Rewards.dtype);
            Report("chosen", loss.Rewards, logProbs.detach(), mask, metrics);
            Report("rejected", loss.Rewards, logProbs.detach(), 1 - mask, metrics);
            return loss.Loss;
        }
    }

    // Of the whole batch and before its first update, so that no micro-batch has a point of its own.
    private double ReferencePoint(SequenceBatch mismatched)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        int size = Session.Ranks.PartSize(mismatched.Rows, options.MicroBatchSize);
        var sums = Session.Ranks.EachOf(
            (mismatched.Rows + size - 1) / size,
            part =>
            {
                var rows = mismatched.Part((long)part * size, size);
                var own = Sums(policy, rows)[0];
                return [own, reference.KnownOrAsked(null, part * size, own, model => Sums(model, rows))[0]];
            }
        );
        return UnpairedLosses
            .ReferencePoint(cat([.. sums.Select(part => part[0])], 0), cat([.. sums.Select(part => part[1])], 0))
            .ToDouble();
    }

    private static void Report(string name, Tensor rewards, Tensor logProbs, Tensor mask, MetricMeans metrics)
    {
        double count = mask.sum().ToDouble();
        metrics.Add($"reward/{name}", Masked.Mean(rewards, mask), count);
        metrics.Add($"logp/{name}", Masked.Mean(logProbs, mask), count);
    }

    // [1,b].
    private static Tensor Sums(CausalLm model, SequenceBatch rows)
    {
        using var mode = no_grad();
        return SequenceStates.Of(model, rows).LogProbs(1).sum(1L).unsqueeze(0);
    }
}
