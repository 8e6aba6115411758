namespace PostTrain.Operators;

/// <summary>Addresses and strides of an attention's tensors: T is the type to compute in, S that of queries, keys, values, results and
/// their gradients in memory.</summary>
internal unsafe struct AttentionPointers<T, S>
    where T : unmanaged
    where S : unmanaged
{
    /// <summary>Head 0 at position 0 of row 0.</summary>
    internal S* Query,
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
    internal S* Output;

    /// <summary>log Σ exp of each query's scores, [B,H,T]; null where nobody asks.</summary>
    internal T* LogSums;

    /// <summary>Gradient of the result.</summary>
    internal S* Gradient;

    /// <summary>Gradients with the steps of queries, keys and values.</summary>
    internal S* QueryGradient,
        KeyGradient,
        ValueGradient;
}
