namespace PostTrain.Adapters.Layers;

/// <summary>What a layer does with its weight.</summary>
internal enum LeafKind
{
    /// <summary>y = x Wᵀ + b, W [out,in].</summary>
    Linear,

    /// <summary>Rows of W [V,D].</summary>
    Embedding,

    /// <summary>Scales by w [D], and adds b.</summary>
    Norm,
}
