namespace PostTrain.Supervised;

/// <summary>What a token's likelihood term is multiplied by.</summary>
public enum TokenWeighting
{
    /// <summary>1.</summary>
    None,

    /// <summary>The token's own probability, detached: dynamic fine-tuning (DFT, arXiv:2508.05629, eq. 9).</summary>
    Probability,
}
