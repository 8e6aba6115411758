namespace PostTrain.Adapters;

/// <summary>Rules that combine LoRA adapters into one; sᵢ is the scale of adapter i, wᵢ its weight, ΔWᵢ = sᵢ BᵢAᵢ its change.</summary>
/// <remarks>With every rule, one adapter of weight 1 gives its own change, at a density of 1 and a sufficient rank.</remarks>
public enum CombinationKind
{
    /// <summary>A = Σ ±√|wᵢsᵢ| Aᵢ and B = Σ √|wᵢsᵢ| Bᵢ; the product has cross terms, and ranks must be equal.</summary>
    Linear,

    /// <summary>The concatenated A's and B's: exactly Σ wᵢsᵢ BᵢAᵢ, with the sum of the ranks.</summary>
    Concatenation,

    /// <summary>The best approximation of Σ wᵢ ΔWᵢ at a rank.</summary>
    Svd,

    /// <summary>TIES on A's and on B's.</summary>
    Ties,

    /// <summary>TIES on the ΔW's, approximated at a rank.</summary>
    TiesSvd,

    /// <summary>DARE on A's and on B's.</summary>
    DareLinear,

    /// <summary>DARE on the ΔW's, approximated at a rank.</summary>
    DareLinearSvd,

    /// <summary>DARE and TIES on A's and on B's.</summary>
    DareTies,

    /// <summary>DARE and TIES on the ΔW's, approximated at a rank.</summary>
    DareTiesSvd,

    /// <summary>Pruning by magnitude on A's and on B's.</summary>
    MagnitudePrune,

    /// <summary>Pruning by magnitude on the ΔW's, approximated at a rank.</summary>
    MagnitudePruneSvd,
}
