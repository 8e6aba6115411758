namespace PostTrain.Rollouts.Beams;

/// <summary>The stopping rule of beam search for a prompt, once it has as many finished hypotheses as beams (transformers'
/// <c>early_stopping</c>).</summary>
public enum BeamStopping
{
    /// <summary>When the best open hypothesis, scored at its current length, is not better than the worst finished one
    /// (<c>false</c>).</summary>
    WhenNoBetterIsLikely,

    /// <summary>Immediately (<c>true</c>).</summary>
    WhenFull,

    /// <summary>When no open hypothesis can exceed the worst finished one at any length (<c>"never"</c>).</summary>
    WhenNoBetterIsPossible,
}
