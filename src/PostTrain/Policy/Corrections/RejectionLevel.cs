namespace PostTrain.Policy;

/// <summary>The part of a completion that a <see cref="RolloutRejection"/> judges.</summary>
public enum RejectionLevel
{
    /// <summary>Each token by its own statistic.</summary>
    Token,

    /// <summary>The whole completion by the sum over its tokens.</summary>
    SequenceSum,

    /// <summary>The whole completion by the mean over its tokens.</summary>
    SequenceMean,

    /// <summary>The whole completion by its largest token statistic.</summary>
    SequenceMax,
}
