namespace PostTrain.Rollouts;

/// <summary>The forward pass that the log-probs of a <see cref="RolloutBatch"/> come from. The distribution is the same, the rounding is
/// not.</summary>
public enum LogProbRecording
{
    /// <summary>One more forward pass over the finished batch, the same as in training: equal to training's log-probs to the last bit. It
    /// costs that pass (no gradient).</summary>
    Rescored,

    /// <summary>The pass that sampled the token: costs nothing, and differs from training's by rounding (about 1e-5 in float32) if the BLAS
    /// computes a row differently beside other rows.</summary>
    Drawn,
}
