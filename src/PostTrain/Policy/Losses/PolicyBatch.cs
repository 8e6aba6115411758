using PostTrain.Policy.Estimators;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>What a policy objective is computed of.</summary>
/// <param name="LogProbs">log π of the taken tokens, [B,T], with its gradient.</param>
/// <param name="OldLogProbs">log π at sampling time, [B,T].</param>
/// <param name="Advantages">[B,T], or [B] for one value a sequence.</param>
/// <param name="Mask">[B,T]; 1 where the token was generated and counts.</param>
public sealed record PolicyBatch(Tensor LogProbs, Tensor OldLogProbs, Tensor Advantages, Tensor Mask)
{
    /// <summary>log π_ref, [B,T]; needed for a KL term.</summary>
    public Tensor? ReferenceLogProbs { get; init; }

    /// <summary>Entropy of the policy's distributions, [B,T], with its gradient; needed for an entropy bonus.</summary>
    public Tensor? Entropy { get; init; }

    /// <summary>[B,T] or [B]: multiplies the surrogate and not the KL term; see <see cref="CompletionMasks"/>.</summary>
    public Tensor? Weights { get; init; }

    /// <summary>[B,T], or [B] for one a sequence: correction for the sampler; see <see cref="ImportanceCorrection"/>.</summary>
    public Tensor? ImportanceWeights { get; init; }

    /// <summary>Returns some rows and their first columns, as views that belong to the current scope.</summary>
    internal PolicyBatch Part(long start, long count, long columns)
    {
        Tensor Of(Tensor all)
        {
            var rows = all.narrow(0, start, count);
            return rows.dim() == 1 ? rows : rows.narrow(1, 0, columns);
        }
        return Each(Of);
    }

    /// <summary>Returns the batch whose tensors are a function of these.</summary>
    internal PolicyBatch Each(Func<Tensor, Tensor> of)
    {
        Tensor? OrNull(Tensor? tensor) => tensor is null ? null : of(tensor);
        return new PolicyBatch(of(LogProbs), of(OldLogProbs), of(Advantages), of(Mask))
        {
            ReferenceLogProbs = OrNull(ReferenceLogProbs),
            Entropy = OrNull(Entropy),
            Weights = OrNull(Weights),
            ImportanceWeights = OrNull(ImportanceWeights),
        };
    }
}
