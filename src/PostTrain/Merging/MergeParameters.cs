namespace PostTrain.Merging;

/// <summary>Parameters of a merge by mergekit's names; each method reads its own. What is null is looked for a level above (model, slice,
/// whole merge), and is the method's default where no level has it.</summary>
public sealed record MergeParameters
{
    /// <summary>w of a model (<c>weight</c>). Default 1.</summary>
    public LayerSetting? Weight { get; init; }

    /// <summary>Share of a task vector's entries that stay (<c>density</c>), 0 to 1. Default 1.</summary>
    public LayerSetting? Density { get; init; }

    /// <summary>Share of the largest entries that go in breadcrumbs (<c>gamma</c>). Default 0.01.</summary>
    public LayerSetting? Gamma { get; init; }

    /// <summary>Half the range of DELLA's probabilities, default 0.15; what counts as changed in RAM, default 1e-5
    /// (<c>epsilon</c>).</summary>
    public LayerSetting? Epsilon { get; init; }

    /// <summary>Place between two models (<c>t</c>). No default.</summary>
    public LayerSetting? T { get; init; }

    /// <summary>λ on the sum of task vectors (<c>lambda</c>). Default 1.</summary>
    public LayerSetting? Lambda { get; init; }

    /// <summary>SCE's share of selected entries (<c>select_topk</c>). Default 1.</summary>
    public LayerSetting? SelectTopK { get; init; }

    /// <summary>What passthrough multiplies by (<c>scale</c>). Default 1.</summary>
    public LayerSetting? Scale { get; init; }

    /// <summary>RAM+'s r. Default 0.1.</summary>
    public LayerSetting? R { get; init; }

    /// <summary>RAM+'s α. Default 0.2.</summary>
    public LayerSetting? Alpha { get; init; }

    /// <summary>RegMean's factor off the diagonal. Default 1.</summary>
    public LayerSetting? OffDiagonal { get; init; }

    /// <summary>Steps of the Karcher mean (<c>max_iter</c>). Default 10.</summary>
    public LayerSetting? MaxIterations { get; init; }

    /// <summary>Where the Karcher mean's steps end (<c>tol</c>). Default 1e-5.</summary>
    public LayerSetting? Tolerance { get; init; }

    /// <summary>Added to norms in multislerp (<c>eps</c>). Default 1e-8.</summary>
    public LayerSetting? NormEpsilon { get; init; }

    /// <summary>Whether a sum is divided by the weights (<c>normalize</c>). Default true for linear, ties and della.</summary>
    public bool? Normalize { get; init; }

    /// <summary>Whether sparsified task vectors are rescaled (<c>rescale</c>). Default true for dare and della.</summary>
    public bool? Rescale { get; init; }

    /// <summary>Whether Model Stock has a ratio for each row (<c>filter_wise</c>). Default false.</summary>
    public bool? FilterWise { get; init; }

    /// <summary>Whether nuslerp takes a tensor for one vector (<c>nuslerp_flatten</c>). Default true.</summary>
    public bool? Flatten { get; init; }

    /// <summary>Whether nuslerp's vectors run along the first dimension (<c>nuslerp_row_wise</c>). Default false.</summary>
    public bool? RowWise { get; init; }

    /// <summary>Whether multislerp divides weights by their sum (<c>normalize_weights</c>). Default true.</summary>
    public bool? NormalizeWeights { get; init; }

    /// <summary>These, and those of the level above where these say nothing.</summary>
    internal MergeParameters Over(MergeParameters above) =>
        new()
        {
            Weight = Under(Weight, above.Weight),
            Density = Under(Density, above.Density),
            Gamma = Under(Gamma, above.Gamma),
            Epsilon = Under(Epsilon, above.Epsilon),
            T = Under(T, above.T),
            Lambda = Under(Lambda, above.Lambda),
            SelectTopK = Under(SelectTopK, above.SelectTopK),
            Scale = Under(Scale, above.Scale),
            R = Under(R, above.R),
            Alpha = Under(Alpha, above.Alpha),
            OffDiagonal = Under(OffDiagonal, above.OffDiagonal),
            MaxIterations = Under(MaxIterations, above.MaxIterations),
            Tolerance = Under(Tolerance, above.Tolerance),
            NormEpsilon = Under(NormEpsilon, above.NormEpsilon),
            Normalize = Normalize ?? above.Normalize,
            Rescale = Rescale ?? above.Rescale,
            FilterWise = FilterWise ?? above.FilterWise,
            Flatten = Flatten ?? above.Flatten,
            RowWise = RowWise ?? above.RowWise,
            NormalizeWeights = NormalizeWeights ?? above.NormalizeWeights,
        };

    private static LayerSetting? Under(LayerSetting? own, LayerSetting? above) => own is null ? above : own.Else(above);
}
