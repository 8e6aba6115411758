namespace PostTrain.Rollouts;

/// <summary>Where the log-probs that a <see cref="RolloutBatch"/> records come from. The distribution is the same, the rounding is
/// not.</summary>
public enum LogProbRecording
{
    /// <summary>From one more forward pass over the finished batch, the one that training makes: equal to training's to the last bit. It
    /// costs that pass (no gradient).</summary>
    Rescored,

    /// <summary>From the pass that drew the token: costs nothing, and differs from training's by rounding (about 1e-5 in float32) where the
    /// BLAS computes a row differently beside other rows.</summary>
    Drawn,
}
