using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Critics;

/// <summary>The likelihood of demonstrations as a term of another loss.</summary>
internal sealed class PtxTerm
{
    private readonly PtxOptions options;
    private static readonly SftOptions Plain = new();
    private readonly CausalLm policy;
    private readonly int paddingId;
    private readonly TokenExample[] examples;
    private readonly ShuffledOrder order;

    internal PtxTerm(CausalLm policy, ITokenizer tokenizer, PtxOptions options, ulong seed)
    {
        this.policy = policy;
        this.options = options;
        paddingId = tokenizer.PaddingId;
        var notes = new DataNotes();
        var encoder = new ExampleEncoder(tokenizer, policy.ContextLength) { AppendEnd = options.AppendEndOfSequence, Notes = notes };
        examples =
        [
            .. options
                .Demonstrations.Select((item, i) => encoder.Encode(item.Prompt, item.Completion, $"{nameof(options.Demonstrations)}[{i}]"))
                .Where(example => example.HasLearnt),
        ];
        Notes = notes.Of(options.Demonstrations.Count);
        if (examples.Length == 0)
            throw new ArgumentException(
                $"{nameof(options.Demonstrations)} holds no example that can be learnt from: {Notes[0].Message} {Notes[0].Advice}",
                nameof(options)
            );
        order = new ShuffledOrder(examples.Length, seed);
    }

    /// <summary>Findings about the demonstrations.</summary>
    internal IReadOnlyList<DataNote> Notes { get; }

    /// <summary>The demonstrations of an update, a function of its number.</summary>
    internal SequenceBatch Batch(long update) =>
        SftTrainer.Batch(
            [.. Enumerable.Range(0, options.BatchSize).Select(i => examples[order[update * options.BatchSize + i]])],
            policy,
            paddingId,
            Plain
        );

    /// <summary>γ times the share that some rows have in the batch's mean cross-entropy.</summary>
    internal Tensor Loss(SequenceBatch batch, int start, int count, int parts, MetricMeans means)
    {
        var share = SftTrainer.Loss(policy, batch, start, Math.Min(count, batch.Rows - start), means, Plain);
        means.AddShare("loss", share, parts);
        return share * options.Coefficient;
    }
}
