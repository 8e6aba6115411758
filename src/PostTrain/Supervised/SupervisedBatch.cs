using PostTrain.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Token sequences side by side: what goes in, what is to be predicted, and where it counts.</summary>
/// <param name="Inputs">[B,T] token ids, padded on the right.</param>
/// <param name="AttentionMask">[B,T]; 0 at padding, else the number of the row's sequence, from 1 on.</param>
/// <param name="Targets">[B,T]; the token that follows each input.</param>
/// <param name="LossMask">[B,T]; 1 where the target belongs to a completion.</param>
internal sealed record SupervisedBatch(Tensor Inputs, Tensor AttentionMask, Tensor Targets, Tensor LossMask)
{
    /// <summary>Several sequences a row of at most <paramref name="capacity"/> positions.</summary>
    internal static SupervisedBatch Packed(IReadOnlyList<TokenExample> examples, int capacity, int paddingId)
    {
        var packed = Packing.Pack(
            [.. examples.Select(example => new TokenSequence(example.Ids, example.PromptLength))],
            capacity,
            paddingId
        );
        packed.Positions.Dispose();
        return new SupervisedBatch(packed.Inputs, packed.Segments, packed.Targets, packed.LossMask);
    }

    /// <summary>Lays out sequences of prompt and completion; each has at least two tokens.</summary>
    internal static SupervisedBatch Of(IReadOnlyList<TokenExample> examples, int paddingId)
    {
        int rows = examples.Count,
            columns = examples.Max(example => example.Ids.Length) - 1;
        var inputs = new long[rows, columns];
        var attention = new long[rows, columns];
        var targets = new long[rows, columns];
        var loss = new float[rows, columns];
        for (int row = 0; row < rows; row++)
        {
            var (ids, promptLength) = examples[row];
            for (int t = 0; t < columns; t++)
            {
                bool real = t + 1 < ids.Length;
                inputs[row, t] = t < ids.Length ? ids[t] : paddingId;
                targets[row, t] = real ? ids[t + 1] : paddingId;
                attention[row, t] = t < ids.Length ? 1 : 0;
                loss[row, t] = real && t + 1 >= promptLength ? 1 : 0;
            }
        }
        return new SupervisedBatch(tensor(inputs), tensor(attention), tensor(targets), tensor(loss));
    }

    /// <summary>The same on a device.</summary>
    internal SupervisedBatch To(Device device) => new(Inputs.to(device), AttentionMask.to(device), Targets.to(device), LossMask.to(device));

    /// <summary>The rows from <paramref name="start"/> on, at most <paramref name="count"/>, as views.</summary>
    internal SupervisedBatch Rows(long start, long count)
    {
        long rows = Math.Min(count, Inputs.shape[0] - start);
        return new SupervisedBatch(
            Inputs.narrow(0, start, rows),
            AttentionMask.narrow(0, start, rows),
            Targets.narrow(0, start, rows),
            LossMask.narrow(0, start, rows)
        );
    }
}
