namespace PostTrain.Adapters.Layers;

/// <summary>The function of a layer's weight.</summary>
internal enum LeafKind
{
    /// <summary>y = x Wᵀ + b, W [out,in].</summary>
    Linear,

    /// <summary>Looks up rows of W [V,D].</summary>
    Embedding,

    /// <summary>Scales by w [D], and adds b.</summary>
    Norm,
}
