using PostTrain.Data.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Preference pairs side by side, as a reward model reads them: whole sequences, nothing shifted.</summary>
/// <param name="Ids">[2B,T], int64; the chosen texts of all B pairs, then the rejected ones, padded on the right.</param>
/// <param name="AttentionMask">[2B,T], int64; 1 for tokens.</param>
/// <param name="Margins">[B], float64; by how much the chosen reward is to exceed the rejected one. Null: 0 for all.</param>
/// <param name="Probabilities">[B], float64; how likely the chosen text is the better one. Null: 1 for all.</param>
public sealed record RewardBatch(Tensor Ids, Tensor AttentionMask, Tensor? Margins, Tensor? Probabilities) : ITrainingBatch
{
    /// <summary>Pairs.</summary>
    public int Rows => (int)Ids.shape[0] / 2;

    /// <inheritdoc/>
    public double Tokens => AttentionMask.sum().ToDouble();

    /// <summary>Pairs.</summary>
    public double Denominator => Rows;

    /// <summary>Lays out pairs.</summary>
    internal static RewardBatch Of(IReadOnlyList<RewardPair> pairs, int paddingId)
    {
        int[][] rows = [.. pairs.Select(pair => pair.Chosen), .. pairs.Select(pair => pair.Rejected)];
        return new RewardBatch(
            SequencePadding.Pad(rows, paddingId),
            RewardText.Mask(rows),
            pairs.Any(pair => pair.Margin != 0) ? tensor(pairs.Select(pair => pair.Margin).ToArray()) : null,
            pairs.Any(pair => pair.Probability != 1) ? tensor(pairs.Select(pair => pair.Probability).ToArray()) : null
        );
    }

    /// <summary>Both texts of some pairs.</summary>
    internal static Tensor Both(Tensor values, int start, int count) =>
        cat([values.narrow(0, start, count), values.narrow(0, values.shape[0] / 2 + start, count)], 0);
}

/// <summary>A preference pair as token ids, by how much its rewards are to differ, and how likely the chosen one is the better.</summary>
internal readonly record struct RewardPair(int[] Chosen, int[] Rejected, double Margin = 0, double Probability = 1);
