namespace PostTrain.Text;

/// <summary>Encoded texts, a row each: arrays that <c>torch.tensor</c> takes as they are.</summary>
/// <param name="Ids">Token ids, [B,T]; the padding id at padding.</param>
/// <param name="AttentionMask">[B,T]; 1 for a token, 0 for padding.</param>
/// <param name="TypeIds">[B,T]; which text of a pair; 0 at padding.</param>
/// <param name="SpecialTokensMask">[B,T]; 1 for special tokens that were added and for padding.</param>
public sealed record TokenBatch(long[,] Ids, long[,] AttentionMask, long[,] TypeIds, long[,] SpecialTokensMask);
