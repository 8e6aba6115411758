namespace PostTrain.Distillation;

/// <summary>Rule that combines several tokens of one stretch of text into one distribution.</summary>
public enum TokenMerge
{
    /// <summary>The first token's distribution times the probabilities of the later tokens. The distributions at the positions of the
    /// tokens themselves are read, as GOLD does.</summary>
    Observed,

    /// <summary>The last token's distribution times the probabilities of the earlier tokens: the chain rule.</summary>
    Bayesian,
}
