namespace PostTrain.Merging;

/// <summary>Norm that a sparsified task vector is brought back to.</summary>
public enum RescaleNorm
{
    /// <summary>It is not rescaled.</summary>
    None,

    /// <summary>Σ|x|.</summary>
    L1,

    /// <summary>√Σx².</summary>
    L2,

    /// <summary>max|x|.</summary>
    Max,
}
