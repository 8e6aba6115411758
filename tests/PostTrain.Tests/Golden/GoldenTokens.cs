using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>The shift between logits and the tokens that they predict.</summary>
internal static class GoldenTokens
{
    /// <summary>What stands at positions 1..T−1 of [B,T,...]: the targets.</summary>
    internal static Tensor Targets(Tensor values) => values.narrow(1, 1, values.shape[1] - 1);

    /// <summary>What stands at positions 0..T−2: the logits that predict the targets.</summary>
    internal static Tensor Predicting(Tensor logits) => logits.narrow(1, 0, logits.shape[1] - 1);
}
