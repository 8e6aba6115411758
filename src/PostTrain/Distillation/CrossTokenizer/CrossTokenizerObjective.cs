using PostTrain.Numerics;

namespace PostTrain.Distillation;

/// <summary>Comparison of distributions over two vocabularies.</summary>
public sealed record CrossTokenizerObjective
{
    /// <summary>Rule that combines several tokens of one stretch of text into one distribution.</summary>
    /// <value>The default is <see cref="TokenMerge.Bayesian"/>.</value>
    public TokenMerge Merge { get; init; } = TokenMerge.Bayesian;

    /// <summary>The student's logits are divided by it; above 0.</summary>
    /// <value>The default is 1.</value>
    public double StudentTemperature { get; init; } = 1;

    /// <summary>The teacher's logits are divided by it; above 0.</summary>
    /// <value>The default is 1.</value>
    public double TeacherTemperature { get; init; } = 1;

    /// <summary>Ids of tokens with the same spelling in both vocabularies, each id at most once. They are compared by
    /// <see cref="MatchedDivergence"/>, the others sorted (GOLD); empty compares all of them sorted (ULD).</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<(int Student, int Teacher)> Shared { get; init; } = [];

    /// <summary>Divergence on the shared tokens, whose probabilities are not normalised again.</summary>
    /// <value>The default is the Jensen-Shannon divergence.</value>
    public Divergence MatchedDivergence { get; init; } = Divergence.GeneralizedJsd(0.5);

    /// <summary>Weight of the shared tokens' divergence, at least 0; null: their share of the teacher's vocabulary.</summary>
    public double? MatchedWeight { get; init; }

    /// <summary>Weight of the other tokens' distance, at least 0; null: 1 less the shared tokens' share.</summary>
    public double? UnmatchedWeight { get; init; }

    internal void Check()
    {
        if (!Enum.IsDefined(Merge))
            throw new ArgumentOutOfRangeException(nameof(Merge), Merge, "Merge must be Observed or Bayesian");
        Guard.Positive(StudentTemperature, nameof(StudentTemperature));
        Guard.Positive(TeacherTemperature, nameof(TeacherTemperature));
        ArgumentNullException.ThrowIfNull(Shared);
        ArgumentNullException.ThrowIfNull(MatchedDivergence);
        if (Shared.Select(pair => pair.Student).Distinct().Count() != Shared.Count)
            throw new ArgumentException("Shared names an id of the student twice, expected each at most once", nameof(Shared));
        if (Shared.Select(pair => pair.Teacher).Distinct().Count() != Shared.Count)
            throw new ArgumentException("Shared names an id of the teacher twice, expected each at most once", nameof(Shared));
        foreach (var (weight, name) in new[] { (MatchedWeight, nameof(MatchedWeight)), (UnmatchedWeight, nameof(UnmatchedWeight)) })
            if (weight is { } value)
                Guard.NotNegative(value, name);
    }
}
