namespace PostTrain.Text;

/// <summary>Encoded texts, one per row, as arrays for <c>torch.tensor</c>.</summary>
/// <param name="Ids">Token ids, [B,T]; the padding id at padding.</param>
/// <param name="AttentionMask">[B,T]; 1 for a token, 0 for padding.</param>
/// <param name="TypeIds">[B,T]; index of the text in a pair; 0 at padding.</param>
/// <param name="SpecialTokensMask">[B,T]; 1 for added special tokens and for padding.</param>
public sealed record TokenBatch(long[,] Ids, long[,] AttentionMask, long[,] TypeIds, long[,] SpecialTokensMask);
