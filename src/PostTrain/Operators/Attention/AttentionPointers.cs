namespace PostTrain.Operators;

/// <summary>Addresses and strides of an attention's tensors.</summary>
internal unsafe struct AttentionPointers<T>
    where T : unmanaged
{
    /// <summary>Head 0 at position 0 of row 0.</summary>
    internal T* Query,
        Key,
        Value;

    /// <summary>From position to position.</summary>
    internal long QueryStep,
        KeyStep,
        ValueStep;

    /// <summary>[Angles,T,d], or null.</summary>
    internal T* Cosines,
        Sines;

    /// <summary>Result, [B,T,H·Dh].</summary>
    internal T* Output;

    /// <summary>log Σ exp of each query's scores, [B,H,T]; null where nobody asks.</summary>
    internal T* LogSums;

    /// <summary>Gradient of the result.</summary>
    internal T* Gradient;

    /// <summary>Gradients with the steps of queries, keys and values.</summary>
    internal T* QueryGradient,
        KeyGradient,
        ValueGradient;
}
