namespace PostTrain.Adapters;

/// <summary>How several LoRA adapters become one; sᵢ is the scale of adapter i, wᵢ its weight.</summary>
public enum CombinationKind
{
    /// <summary>A = Σ ±√|wᵢsᵢ| Aᵢ and B = Σ √|wᵢsᵢ| Bᵢ, so that the product has cross terms; ranks must agree.</summary>
    Linear,

    /// <summary>A's and B's one beside the other: exactly Σ wᵢsᵢ BᵢAᵢ, with the sum of the ranks.</summary>
    Concatenation,

    /// <summary>The best approximation of Σ wᵢsᵢ ΔWᵢ at a rank. ΔWᵢ has its scale already: it acts twice, as in PEFT.</summary>
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
