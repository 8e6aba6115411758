using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>What PPO's updates learn from; all tensors belong to the scope in which they were made.</summary>
/// <param name="Rows">Prompts and completions, with log π at sampling time.</param>
/// <param name="Values">V at sampling time, [B,T].</param>
/// <param name="Advantages">[B,T].</param>
/// <param name="Returns">[B,T].</param>
/// <param name="ReferenceLogProbs">log π_ref, [B,T]; null without a reference.</param>
internal sealed record PpoBatch(RolloutRows Rows, Tensor Values, Tensor Advantages, Tensor Returns, Tensor? ReferenceLogProbs)
{
    internal int Count => (int)Rows.Ids.shape[0];

    internal Tensor Mask => Rows.CompletionMask;

    /// <summary>Some rows as views.</summary>
    internal PpoBatch Part(long start, long count) => Each(tensor => tensor.narrow(0, start, count));

    /// <summary>Copies of the named rows.</summary>
    internal PpoBatch Take(long[] rows)
    {
        using var index = tensor(rows, device: Rows.Ids.device);
        return Each(values => values.index_select(0, index));
    }

    private PpoBatch Each(Func<Tensor, Tensor> of) =>
        new(
            new RolloutRows(of(Rows.Ids), of(Rows.AttentionMask), of(Rows.CompletionMask), of(Rows.LogProbs)),
            of(Values),
            of(Advantages),
            of(Returns),
            ReferenceLogProbs is null ? null : of(ReferenceLogProbs)
        );
}
