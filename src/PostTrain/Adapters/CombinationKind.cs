namespace PostTrain.Adapters;

/// <summary>Rules that make one LoRA adapter of several; sᵢ is the scale of adapter i, wᵢ its weight, ΔWᵢ = sᵢ BᵢAᵢ the change that it
/// makes.</summary>
/// <remarks>With every rule one adapter of weight 1 gives its own change, at a density of 1 and a rank that holds it.</remarks>
public enum CombinationKind
{
    /// <summary>A = Σ ±√|wᵢsᵢ| Aᵢ and B = Σ √|wᵢsᵢ| Bᵢ, so that the product has cross terms; ranks must agree.</summary>
    Linear,

    /// <summary>A's and B's one beside the other: exactly Σ wᵢsᵢ BᵢAᵢ, with the sum of the ranks.</summary>
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
