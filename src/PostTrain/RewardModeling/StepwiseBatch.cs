using PostTrain.Data.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Solutions with judged steps side by side: whole sequences, nothing shifted.</summary>
/// <param name="Ids">[B,T], int64; padded on the right.</param>
/// <param name="AttentionMask">[B,T], int64; 1 for tokens.</param>
/// <param name="Labels">[B,T], int64; the class of the step that ends there.</param>
/// <param name="Ends">[B,T], float32; 1 where a step with a label ends.</param>
/// <param name="Denominator">What the sum of losses over the batch is divided by.</param>
public sealed record StepwiseBatch(Tensor Ids, Tensor AttentionMask, Tensor Labels, Tensor Ends, double Denominator) : ITrainingBatch
{
    /// <summary>Solutions.</summary>
    public int Rows => (int)Ids.shape[0];

    /// <inheritdoc/>
    public double Tokens => AttentionMask.sum().ToDouble();

    /// <summary>Lays out solutions; the denominator is their number.</summary>
    /// <param name="examples">At least one.</param>
    /// <param name="paddingId">Fills the ids of shorter rows.</param>
    public static StepwiseBatch Of(IReadOnlyList<StepEncoding> examples, int paddingId)
    {
        ArgumentNullException.ThrowIfNull(examples);
        int[][] rows = [.. examples.Select(example => example.Tokens)];
        var ids = SequencePadding.Pad(rows, paddingId);
        var (classes, counted) = (new long[rows.Length, ids.shape[1]], new float[rows.Length, ids.shape[1]]);
        for (int row = 0; row < rows.Length; row++)
            foreach (var (end, label) in examples[row].Ends.Zip(examples[row].Labels))
                (classes[row, end], counted[row, end]) = (label, 1);
        return new StepwiseBatch(ids, RewardText.Mask(rows), tensor(classes), tensor(counted), rows.Length);
    }
}
