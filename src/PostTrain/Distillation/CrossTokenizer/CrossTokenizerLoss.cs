using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>A loss between two vocabularies.</summary>
/// <param name="Loss">Scalar, with the student's gradient.</param>
/// <param name="RowLosses">The mean over the groups of each answer, [B]; detached.</param>
/// <param name="Matched">Divergence on the shared tokens, the mean over groups of each answer, [B]; detached, 0 without shared
/// tokens.</param>
/// <param name="Unmatched">Distance of the other tokens' sorted probabilities, [B]; detached.</param>
public sealed record CrossTokenizerLoss(Tensor Loss, Tensor RowLosses, Tensor Matched, Tensor Unmatched);
