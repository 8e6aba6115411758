namespace PostTrain.Supervised;

/// <summary>The factor of a token's likelihood term.</summary>
public enum TokenWeighting
{
    /// <summary>1.</summary>
    None,

    /// <summary>The token's own probability, detached: dynamic fine-tuning (DFT, arXiv:2508.05629, eq. 9).</summary>
    Probability,
}
