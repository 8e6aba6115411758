namespace PostTrain.Rollouts.Beams;

/// <summary>When beam search ends for a prompt, once it has as many finished hypotheses as beams (transformers'
/// <c>early_stopping</c>).</summary>
public enum BeamStopping
{
    /// <summary>When the best open hypothesis, its score taken at its present length, is not over the worst finished one
    /// (<c>false</c>).</summary>
    WhenNoBetterIsLikely,

    /// <summary>At once (<c>true</c>).</summary>
    WhenFull,

    /// <summary>When no open hypothesis can come over the worst finished one at any length (<c>"never"</c>).</summary>
    WhenNoBetterIsPossible,
}
