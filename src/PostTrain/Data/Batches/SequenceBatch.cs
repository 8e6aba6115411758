using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Data.Batches;

/// <summary>Training sequences side by side: what a model reads, what it is to predict, and where that counts. The layout of all trainers
/// on fixed data.</summary>
/// <remarks>Inputs and targets are shifted already: position t reads token t and predicts token t + 1. The tensors belong to the dispose
/// scope around the call.</remarks>
/// <param name="Inputs">[B,T], int64; token ids, padded on the right.</param>
/// <param name="AttentionMask">[B,T], int64; 0 at padding, else the number of the sequence in its row, from 1 on. What a model takes as its
/// attention mask: a position sees its own sequence only.</param>
/// <param name="Targets">[B,T], int64; the token that follows each input in its own sequence.</param>
/// <param name="LossMask">[B,T], float32; 1 where the target is to be learnt.</param>
public sealed record SequenceBatch(Tensor Inputs, Tensor AttentionMask, Tensor Targets, Tensor LossMask) : ITrainingBatch, IDisposable
{
    /// <summary>The divisor of the sum of losses over the batch, such as <see cref="LossAggregation.Denominator"/> of the mask.</summary>
    /// <value>The number of rows by default.</value>
    public double Denominator { get; init; } = Inputs.shape[0];

    /// <summary>First column in which a target may count: logits of earlier ones need not be computed.</summary>
    /// <value>0 by default; <see cref="Of"/> sets it.</value>
    public int FirstColumn { get; init; }

    /// <inheritdoc/>
    public int Rows => (int)Inputs.shape[0];

    /// <inheritdoc/>
    public double Tokens
    {
        get
        {
            using var scope = NewDisposeScope();
            return AttentionMask.ne(0).sum().ToDouble();
        }
    }

    /// <summary>Lays out one sequence a row.</summary>
    /// <param name="examples">At least one.</param>
    /// <param name="paddingId">Fills inputs and targets behind the end of a sequence.</param>
    /// <param name="padToMultipleOf">Tokens of a row (one more than columns) are those of the longest example, rounded up to a multiple of
    /// this; 1 by default.</param>
    /// <exception cref="ArgumentException">There is no example, or a prompt or a mask does not belong to its ids.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="padToMultipleOf"/> is below 1.</exception>
    public static SequenceBatch Of(IReadOnlyList<TokenExample> examples, int paddingId, int padToMultipleOf = 1)
    {
        Check(examples);
        int rows = examples.Count,
            columns = Math.Max(RoundedUp(examples.Max(example => example.Ids.Length), padToMultipleOf) - 1, 0);
        var inputs = new long[rows, columns];
        var attention = new long[rows, columns];
        var targets = new long[rows, columns];
        var loss = new float[rows, columns];
        for (int row = 0; row < rows; row++)
        {
            var example = examples[row];
            int[] ids = example.Ids;
            for (int t = 0; t < columns; t++)
            {
                bool real = t + 1 < ids.Length;
                inputs[row, t] = t < ids.Length ? ids[t] : paddingId;
                targets[row, t] = real ? ids[t + 1] : paddingId;
                attention[row, t] = t < ids.Length ? 1 : 0;
                loss[row, t] = real && example.Learns(t + 1) ? 1 : 0;
            }
        }
        return new SequenceBatch(tensor(inputs), tensor(attention), tensor(targets), tensor(loss))
        {
            FirstColumn = Math.Max(examples.Min(example => example.FirstLearnt) - 1, 0),
        };
    }

    /// <summary>Lays out several sequences a row, end to end, in as few rows as <see cref="Packing.FirstFitDecreasing"/> finds.</summary>
    /// <remarks>A sequence of n tokens takes n − 1 positions, as its last token is only predicted: no target belongs to the next
    /// sequence.</remarks>
    /// <param name="examples">At least one; each has at least two tokens.</param>
    /// <param name="capacity">Positions in a row; no sequence has more than <paramref name="capacity"/> + 1 tokens.</param>
    /// <param name="paddingId">Fills inputs and targets behind the last sequence of a row.</param>
    /// <returns>As many columns as the fullest row has positions.</returns>
    /// <exception cref="ArgumentException">There is no example, a sequence is too short or too long, or a prompt or a mask does not belong
    /// to its ids.</exception>
    public static SequenceBatch Packed(IReadOnlyList<TokenExample> examples, int capacity, int paddingId)
    {
        Check(examples);
        for (int i = 0; i < examples.Count; i++)
            if (examples[i].Ids.Length < 2 || examples[i].Ids.Length - 1 > capacity)
                throw new ArgumentException(
                    $"examples[{i}] has {examples[i].Ids.Length} tokens, expected 2 to {capacity + 1L} (capacity {capacity})",
                    nameof(examples)
                );
        var rows = Packing.FirstFitDecreasing([.. examples.Select(example => example.Ids.Length - 1)], capacity);
        int columns = rows.Max(row => row.Sum(index => examples[index].Ids.Length - 1));
        return EndToEnd([.. rows.Select(row => row.Select(index => examples[index]))], columns, paddingId);
    }

    /// <summary>Lays out all sequences in one row, end to end, in their order: a batch without padding.</summary>
    /// <param name="examples">At least one. One with a single token takes no position.</param>
    /// <param name="paddingId">Fills inputs and targets of the padding.</param>
    /// <param name="padToMultipleOf">So many positions of padding follow that they and all tokens together are a multiple of this; 1 by
    /// default: none.</param>
    /// <exception cref="ArgumentException">There is no example, or a prompt or a mask does not belong to its ids.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="padToMultipleOf"/> is below 1.</exception>
    public static SequenceBatch Joined(IReadOnlyList<TokenExample> examples, int paddingId, int padToMultipleOf = 1)
    {
        Check(examples);
        int tokens = examples.Sum(example => example.Ids.Length);
        int columns = examples.Sum(example => Math.Max(example.Ids.Length - 1, 0)) + RoundedUp(tokens, padToMultipleOf) - tokens;
        return EndToEnd([examples], columns, paddingId);
    }

    /// <summary>Position of each input within its own sequence, [B,T], int64; 0 at padding.</summary>
    /// <returns>A fresh tensor.</returns>
    public Tensor Positions()
    {
        using var scope = NewDisposeScope();
        var columns = arange(Inputs.shape[1], ScalarType.Int64, Inputs.device).expand_as(AttentionMask);
        if (Inputs.shape[1] == 0)
            return columns.clone().MoveToOuterDisposeScope();
        var begins = cat([ones_like(AttentionMask.narrow(1, 0, 1)).to_type(ScalarType.Bool), AttentionMask.diff(dim: 1).ne(0)], 1);
        var starts = columns.masked_fill(begins.logical_not(), 0).cummax(1).values;
        return (columns - starts).masked_fill(AttentionMask.eq(0), 0).MoveToOuterDisposeScope();
    }

    /// <summary>Returns a copy on a device.</summary>
    /// <param name="device">The model's device.</param>
    public SequenceBatch To(Device device) => Each(values => values.to(device));

    /// <summary>Some rows, as views; the denominator stays that of the whole batch.</summary>
    /// <param name="start">First row.</param>
    /// <param name="count">Most rows; fewer where the batch ends.</param>
    public SequenceBatch Part(long start, long count)
    {
        long rows = Math.Min(count, Inputs.shape[0] - start);
        return Each(values => values.narrow(0, start, rows));
    }

    /// <summary>A batch of the same columns, from a function of each tensor.</summary>
    internal SequenceBatch Each(Func<Tensor, Tensor> change) =>
        this with
        {
            Inputs = change(Inputs),
            AttentionMask = change(AttentionMask),
            Targets = change(Targets),
            LossMask = change(LossMask),
        };

    /// <summary>Gives the tensors back before their scope ends.</summary>
    public void Dispose()
    {
        Inputs.Dispose();
        AttentionMask.Dispose();
        Targets.Dispose();
        LossMask.Dispose();
    }

    private static SequenceBatch EndToEnd(IReadOnlyList<IEnumerable<TokenExample>> rows, int columns, int paddingId)
    {
        var inputs = new long[rows.Count, columns];
        var segments = new long[rows.Count, columns];
        var targets = new long[rows.Count, columns];
        var loss = new float[rows.Count, columns];
        for (int row = 0; row < rows.Count; row++)
        {
            int column = 0,
                segment = 0;
            foreach (var example in rows[row])
            {
                int[] ids = example.Ids;
                segment++;
                for (int t = 0; t + 1 < ids.Length; t++, column++)
                {
                    inputs[row, column] = ids[t];
                    segments[row, column] = segment;
                    targets[row, column] = ids[t + 1];
                    loss[row, column] = example.Learns(t + 1) ? 1 : 0;
                }
            }
            for (; column < columns; column++)
                inputs[row, column] = targets[row, column] = paddingId;
        }
        return new SequenceBatch(tensor(inputs), tensor(segments), tensor(targets), tensor(loss));
    }

    private static int RoundedUp(int tokens, int multiple)
    {
        Guard.AtLeast(multiple, 1, "padToMultipleOf");
        return checked((tokens + multiple - 1) / multiple * multiple);
    }

    private static void Check(IReadOnlyList<TokenExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (examples.Count == 0)
            throw new ArgumentException("examples holds nothing, expected at least one", nameof(examples));
        for (int i = 0; i < examples.Count; i++)
            examples[i].Check($"examples[{i}]", nameof(examples));
    }
}
