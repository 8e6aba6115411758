using PostTrain.Adapters;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>A merge method: a function of the tensors of one name. Those here have mergekit's names; <see cref="Of"/> makes one of a
/// function of your own.</summary>
public sealed class MergeMethod
{
    private const int Any = int.MaxValue;
    private readonly Func<MergeInputs, Tensor> function;
    private readonly int least;
    private readonly int most;

    private MergeMethod(string name, BaseUse use, int least, int most, Func<MergeInputs, Tensor> function, params string[] parameters)
    {
        (Name, Base, this.least, this.most, this.function) = (name, use, least, most, function);
        Parameters = parameters.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Σ wᵢ θᵢ / Σ wᵢ: <see cref="LinearMerge.Average"/>.</summary>
    public static MergeMethod Linear { get; } =
        new(
            "linear",
            BaseUse.None,
            1,
            Any,
            i => LinearMerge.Average(i.Tensors, Weights(i), i.Parameters.Normalize ?? true),
            "weight",
            "normalize"
        );

    /// <summary>θ₀ + λ Σ wᵢ τᵢ.</summary>
    public static MergeMethod TaskArithmetic { get; } =
        OnTaskVectors("task_arithmetic", SparsificationKind.None, elects: false, normalize: false);

    /// <summary>Pruning by magnitude, election of signs, mean.</summary>
    public static MergeMethod Ties { get; } = OnTaskVectors("ties", SparsificationKind.Magnitude, elects: true, normalize: true);

    /// <summary>Random dropping, sum.</summary>
    public static MergeMethod DareLinear { get; } =
        OnTaskVectors("dare_linear", SparsificationKind.Random, elects: false, normalize: false);

    /// <summary>Random dropping, election of signs.</summary>
    public static MergeMethod DareTies { get; } = OnTaskVectors("dare_ties", SparsificationKind.Random, elects: true, normalize: false);

    /// <summary>Random dropping by rank, election of signs, mean.</summary>
    public static MergeMethod Della { get; } = OnTaskVectors("della", SparsificationKind.RandomByRank, elects: true, normalize: true);

    /// <summary>Random dropping by rank, sum.</summary>
    public static MergeMethod DellaLinear { get; } =
        OnTaskVectors("della_linear", SparsificationKind.RandomByRank, elects: false, normalize: false);

    /// <summary>Both tails dropped, sum.</summary>
    public static MergeMethod Breadcrumbs { get; } =
        OnTaskVectors("breadcrumbs", SparsificationKind.Outliers, elects: false, normalize: false);

    /// <summary>Both tails dropped, election of signs.</summary>
    public static MergeMethod BreadcrumbsTies { get; } =
        OnTaskVectors("breadcrumbs_ties", SparsificationKind.Outliers, elects: true, normalize: false);

    /// <summary>Great circle from the base to another model: <see cref="SphericalMerge.Slerp"/>.</summary>
    public static MergeMethod Slerp { get; } =
        new("slerp", BaseUse.Required, 1, 1, i => SphericalMerge.Slerp(i.Origin, i.Tensors[0], i.Value(p => p.T, double.NaN)), "t");

    /// <summary><see cref="SphericalMerge.NuSlerp"/> of two models.</summary>
    public static MergeMethod NuSlerp { get; } =
        new(
            "nuslerp",
            BaseUse.Optional,
            2,
            2,
            i =>
                SphericalMerge.NuSlerp(
                    i.Tensors[0],
                    i.Tensors[1],
                    Weights(i),
                    i.Base,
                    i.Parameters.Flatten ?? true,
                    i.Parameters.RowWise ?? false
                ),
            "weight",
            "nuslerp_flatten",
            "nuslerp_row_wise"
        );

    /// <summary><see cref="SphericalMerge.MultiSlerp"/>.</summary>
    public static MergeMethod MultiSlerp { get; } =
        new(
            "multislerp",
            BaseUse.Optional,
            1,
            Any,
            i =>
                SphericalMerge.MultiSlerp(
                    i.Tensors,
                    Weights(i),
                    i.Base,
                    i.Parameters.NormalizeWeights ?? true,
                    i.Value(p => p.NormEpsilon, 1e-8)
                ),
            "weight",
            "normalize_weights",
            "eps"
        );

    /// <summary><see cref="SphericalMerge.Karcher"/>.</summary>
    public static MergeMethod Karcher { get; } =
        new(
            "karcher",
            BaseUse.None,
            1,
            Any,
            i => SphericalMerge.Karcher(i.Tensors, Whole(i, p => p.MaxIterations, 10), i.Value(p => p.Tolerance, 1e-5)),
            "max_iter",
            "tol"
        );

    /// <summary><see cref="SelectiveMerge.ModelStock"/>.</summary>
    public static MergeMethod ModelStock { get; } =
        new(
            "model_stock",
            BaseUse.Required,
            2,
            Any,
            i => SelectiveMerge.ModelStock(i.Origin, i.Tensors, i.Parameters.FilterWise ?? false),
            "filter_wise"
        );

    /// <summary><see cref="SelectiveMerge.NearSwap"/>.</summary>
    public static MergeMethod NearSwap { get; } =
        new("nearswap", BaseUse.Required, 1, 1, i => SelectiveMerge.NearSwap(i.Origin, i.Tensors[0], i.Value(p => p.T, double.NaN)), "t");

    /// <summary><see cref="SelectiveMerge.Sce"/>.</summary>
    public static MergeMethod Sce { get; } =
        new(
            "sce",
            BaseUse.Required,
            1,
            Any,
            i => SelectiveMerge.Sce(i.Origin, i.Tensors, i.Value(p => p.SelectTopK, 1)),
            "select_topk",
            "int8_mask"
        );

    /// <summary><see cref="SelectiveMerge.ArceeFusion"/>.</summary>
    public static MergeMethod ArceeFusion { get; } =
        new("arcee_fusion", BaseUse.Required, 1, 1, i => SelectiveMerge.ArceeFusion(i.Origin, i.Tensors[0]));

    /// <summary><see cref="SelectiveMerge.Ram"/>.</summary>
    public static MergeMethod Ram { get; } =
        new("ram", BaseUse.Required, 1, Any, i => SelectiveMerge.Ram(i.Origin, i.Tensors, i.Value(p => p.Epsilon, 1e-5)), "epsilon");

    /// <summary><see cref="SelectiveMerge.RamPlus"/>.</summary>
    public static MergeMethod RamPlus { get; } =
        new(
            "ramplus_tl",
            BaseUse.Required,
            1,
            Any,
            i =>
                SelectiveMerge.RamPlus(
                    i.Origin,
                    i.Tensors,
                    i.Value(p => p.R, 0.1),
                    i.Value(p => p.Alpha, 0.2),
                    i.Value(p => p.Epsilon, 1e-5)
                ),
            "r",
            "alpha",
            "epsilon"
        );

    /// <summary><see cref="StatisticalMerge.Fisher"/>; every model has a statistic for every tensor.</summary>
    public static MergeMethod Fisher { get; } =
        new(
            "fisher",
            BaseUse.None,
            1,
            Any,
            i =>
                HasStatistics(i) == true
                    ? StatisticalMerge.Fisher(i.Tensors, i.Statistics!, Weights(i))
                    : throw new InvalidDataException($"tensor '{i.Name}' has no statistic of some model, expected a diagonal of each"),
            "weight"
        );

    /// <summary><see cref="StatisticalMerge.RegMean"/> of tensors for which every model has a Gram matrix, the mean by weights of
    /// others.</summary>
    public static MergeMethod RegMean { get; } =
        new(
            "regmean",
            BaseUse.None,
            1,
            Any,
            i =>
                HasStatistics(i) switch
                {
                    true => StatisticalMerge.RegMean(i.Tensors, i.Statistics!, Weights(i), i.Value(p => p.OffDiagonal, 1)),
                    false => LinearMerge.Average(i.Tensors, Weights(i)),
                    null => throw new InvalidDataException(
                        $"tensor '{i.Name}' has statistics of some models only, expected Gram matrices of all or of none"
                    ),
                },
            "weight"
        );

    /// <summary>The one model's tensor: for stacking layers.</summary>
    public static MergeMethod Passthrough { get; } =
        new("passthrough", BaseUse.None, 1, 1, i => i.Tensors[0] * i.Values(p => p.Scale, 1)[0], "scale");

    private static readonly MergeMethod[] All =
    [
        Linear,
        TaskArithmetic,
        Ties,
        DareLinear,
        DareTies,
        Della,
        DellaLinear,
        Breadcrumbs,
        BreadcrumbsTies,
        Slerp,
        NuSlerp,
        MultiSlerp,
        Karcher,
        ModelStock,
        NearSwap,
        Sce,
        ArceeFusion,
        Ram,
        RamPlus,
        Passthrough,
    ];

    /// <summary>Name of the method; mergekit's where it has it.</summary>
    public string Name { get; }

    /// <summary>The method's use of a base model.</summary>
    public BaseUse Base { get; }

    /// <summary>mergekit's names of the parameters that the method reads.</summary>
    internal IReadOnlySet<string> Parameters { get; }

    /// <summary>A method of your own.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="function">Gives a fresh tensor of the inputs' shape, disposes none of them, and throws what it refuses.</param>
    /// <param name="use">The use of a base model.</param>
    public static MergeMethod Of(string name, Func<MergeInputs, Tensor> function, BaseUse use = BaseUse.None)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new MergeMethod(name, use, 1, Any, function);
    }

    /// <summary>Merges the tensors of one name.</summary>
    /// <param name="inputs">Tensors and parameters.</param>
    /// <returns>A fresh tensor of their shape; the caller owns it.</returns>
    /// <exception cref="ArgumentException">The number of models does not fit the method, or a parameter is out of its range.</exception>
    public Tensor Merge(MergeInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        Check(inputs.Tensors.Count, inputs.Base is not null);
        return Numerics.Guard.Result(
            function(inputs),
            $"the merge method {Name} for '{inputs.Name}'",
            (inputs.Base ?? inputs.Tensors[0]).shape,
            "the models' tensors"
        );
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>The method that mergekit calls so, or null.</summary>
    internal static MergeMethod? Named(string name) => Array.Find(All, method => method.Name == name);

    /// <summary>The names known, for messages.</summary>
    internal static string Names => string.Join(", ", All.Select(method => method.Name));

    /// <summary>Checks that the number of models, and a base or its absence, fit the method.</summary>
    internal void Check(int models, bool hasBase)
    {
        if (Base == BaseUse.Required && !hasBase)
            throw new ArgumentException($"{Name} needs a base model, and none is given");
        if (models < least || models > most)
            throw new ArgumentException(
                $"{Name} merges {(least == most ? $"{least}" : $"at least {least}")} "
                    + $"models{(Base == BaseUse.None ? "" : " besides the base")}, and {models} are given"
            );
    }

    private static MergeMethod OnTaskVectors(string name, SparsificationKind kind, bool elects, bool normalize)
    {
        var random = kind is SparsificationKind.Random or SparsificationKind.RandomByRank;
        return new MergeMethod(
            name,
            BaseUse.Required,
            1,
            Any,
            inputs => Merge(inputs, kind, elects, inputs.Parameters.Normalize ?? normalize, inputs.Parameters.Rescale ?? random),
            [
                "weight",
                "normalize",
                "lambda",
                "int8_mask",
                .. kind == SparsificationKind.None ? (string[])[] : ["density", "rescale"],
                .. kind == SparsificationKind.Outliers ? (string[])["gamma"] : [],
                .. kind == SparsificationKind.RandomByRank ? (string[])["epsilon"] : [],
            ]
        );
    }

    private static Tensor Merge(MergeInputs inputs, SparsificationKind kind, bool elects, bool normalize, bool rescale)
    {
        using var scope = NewDisposeScope();
        var density = inputs.Values(p => p.Density, 1);
        var gamma = inputs.Values(p => p.Gamma, 0.01);
        var epsilon = inputs.Values(p => p.Epsilon, 0.15);
        var deltas = new List<Tensor>();
        for (var i = 0; i < inputs.Tensors.Count; i++)
        {
            using var delta = inputs.Tensors[i] - inputs.Origin;
            var options = new SparsificationOptions
            {
                Kind = kind,
                Density = density[i],
                Gamma = gamma[i],
                Epsilon = epsilon[i],
                Rescale = rescale,
                Convention = inputs.Convention,
            };
            deltas.Add(Sparsification.Sparsify(delta, options, inputs.Seed ^ Hash(inputs.Name), (ulong)i));
        }

        return LinearMerge
            .Combine(
                inputs.Origin,
                deltas,
                Weights(inputs),
                elects ? MajoritySign.Total : null,
                normalize,
                inputs.Value(p => p.Lambda, 1),
                inputs.Convention
            )
            .MoveToOuterDisposeScope();
    }

    private static double[] Weights(MergeInputs inputs) => inputs.Values(p => p.Weight, 1);

    private static int Whole(MergeInputs inputs, Func<MergeParameters, LayerSetting?> setting, int otherwise) =>
        (int)Math.Clamp(Math.Round(inputs.Value(setting, otherwise)), 0, 1_000_000);

    private static bool? HasStatistics(MergeInputs inputs)
    {
        var given = inputs.Statistics.Count(item => item is not null);
        return given == 0 ? false
            : given == inputs.Tensors.Count ? true
            : null;
    }

    // FNV-1a: tensors of other names draw other numbers.
    private static ulong Hash(string text) =>
        System.Text.Encoding.UTF8.GetBytes(text).Aggregate(14695981039346656037UL, (hash, value) => (hash ^ value) * 1099511628211UL);
}
