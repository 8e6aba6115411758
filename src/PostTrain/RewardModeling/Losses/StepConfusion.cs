using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>Confusion counts of a process reward model: correct and erroneous steps, each judged right or wrong.</summary>
/// <remarks>
/// PRMBench, Song et al. 2025, arXiv:2501.03124: F1 on right steps, F1 on wrong ones, and their mean, PRMScore; a model that finds every
/// step right has an F1 of 0 on wrong steps, however few they are. Every measure is NaN where it asks for something that is not there
/// (PRMBench's program gives −1), and 0 where it is there and always missed.
/// </remarks>
/// <param name="RightAsRight">Right steps judged right.</param>
/// <param name="WrongAsRight">Wrong steps judged right.</param>
/// <param name="WrongAsWrong">Wrong steps judged wrong.</param>
/// <param name="RightAsWrong">Right steps judged wrong.</param>
public readonly record struct StepConfusion(long RightAsRight, long WrongAsRight, long WrongAsWrong, long RightAsWrong)
{
    /// <summary>Share of the steps judged right that are.</summary>
    public double Precision => Share(RightAsRight, RightAsRight + WrongAsRight);

    /// <summary>Share of the right steps that are judged so.</summary>
    public double Recall => Share(RightAsRight, RightAsRight + RightAsWrong);

    /// <summary>2PR/(P + R) of right steps = 2·right as right / (2·right as right + misjudged), 0 to 1.</summary>
    public double F1 => Share(2 * RightAsRight, 2 * RightAsRight + WrongAsRight + RightAsWrong);

    /// <summary>Share of the steps judged wrong that are.</summary>
    public double NegativePrecision => Share(WrongAsWrong, WrongAsWrong + RightAsWrong);

    /// <summary>Share of the wrong steps that are found.</summary>
    public double NegativeRecall => Share(WrongAsWrong, WrongAsWrong + WrongAsRight);

    /// <summary>F1 of wrong steps, 0 to 1; 0 for a model that finds every step right, NaN where no step is wrong or judged so.</summary>
    public double NegativeF1 => Share(2 * WrongAsWrong, 2 * WrongAsWrong + WrongAsRight + RightAsWrong);

    /// <summary>PRMScore = w₁·F1_neg + w₂·F1 with w₂ = 1 − w₁, 0 to 1; NaN where one of the two is.</summary>
    /// <param name="negativeWeight">w₁, 0 to 1; ½ by default.</param>
    public double PrmScore(double negativeWeight = 0.5)
    {
        Guard.Fraction(negativeWeight, nameof(negativeWeight));
        return negativeWeight * NegativeF1 + (1 - negativeWeight) * F1;
    }

    /// <summary>Counts of both together.</summary>
    public static StepConfusion operator +(StepConfusion one, StepConfusion other) =>
        new(
            one.RightAsRight + other.RightAsRight,
            one.WrongAsRight + other.WrongAsRight,
            one.WrongAsWrong + other.WrongAsWrong,
            one.RightAsWrong + other.RightAsWrong
        );

    /// <summary>Counts of both together.</summary>
    public StepConfusion Add(StepConfusion other) => this + other;

    /// <summary>Counts the verdicts on steps.</summary>
    /// <param name="probabilities">That each step is right, [B,S].</param>
    /// <param name="labels">[B,S]; 1 or true where a step is right, 0 where it is wrong.</param>
    /// <param name="mask">[B,S]; 1 where there is a step. What stands elsewhere is not read.</param>
    /// <param name="threshold">A step is judged right where its probability is above this; ½ by default.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, a probability lies outside 0..1 or is NaN, or a label is neither 0
    /// nor 1.</exception>
    public static StepConfusion Of(Tensor probabilities, Tensor labels, Tensor mask, double threshold = 0.5) =>
        Rows(probabilities, labels, mask, threshold).Aggregate(default(StepConfusion), (all, row) => all + row);

    /// <summary>Counts by category of the solutions, which shows the faults that the model finds and misses.</summary>
    /// <inheritdoc cref="Of"/>
    /// <param name="probabilities">That each step is right, [B,S].</param>
    /// <param name="labels">[B,S]; 1 or true where a step is right, 0 where it is wrong.</param>
    /// <param name="mask">[B,S]; 1 where there is a step.</param>
    /// <param name="categories">One name a solution, B of them.</param>
    /// <param name="threshold">A step is judged right where its probability is above this.</param>
    public static IReadOnlyDictionary<string, StepConfusion> ByCategory(
        Tensor probabilities,
        Tensor labels,
        Tensor mask,
        IReadOnlyList<string> categories,
        double threshold = 0.5
    )
    {
        ArgumentNullException.ThrowIfNull(categories);
        var rows = Rows(probabilities, labels, mask, threshold);
        if (categories.Count != rows.Length)
            throw new ArgumentException(
                $"categories has {categories.Count} names, expected {rows.Length}, one a solution",
                nameof(categories)
            );
        return rows.Zip(categories)
            .GroupBy(pair => pair.Second, StringComparer.Ordinal)
            .ToDictionary(
                group => group.Key,
                group => group.Aggregate(default(StepConfusion), (all, pair) => all + pair.First),
                StringComparer.Ordinal
            );
    }

    private static StepConfusion[] Rows(Tensor probabilities, Tensor labels, Tensor mask, double threshold)
    {
        Guard.Rank(probabilities, nameof(probabilities), 2, "[B,S]");
        Guard.Floating(probabilities, nameof(probabilities));
        Guard.SameShape(labels, nameof(labels), probabilities, nameof(probabilities));
        Guard.Fraction(threshold, nameof(threshold));
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var scores = Masked.Counted(probabilities, mask);
        Guard.Probabilities(scores, nameof(probabilities));
        if (scores.isnan().any().ToBoolean())
            throw new ArgumentException("probabilities holds NaN at a step, expected a verdict on every step", nameof(probabilities));
        var counted = mask != 0;
        var truth = Masked.Counted(labels.to_type(ScalarType.Float64), mask);
        if ((truth * (1 - truth) != 0).any().ToBoolean())
            throw new ArgumentException(
                "labels holds values besides 0 and 1 at a step, expected 1 for right and 0 for wrong",
                nameof(labels)
            );
        var (right, judged) = (truth != 0, scores > threshold);
        long[] Count(Tensor which) => which.logical_and(counted).to_type(ScalarType.Int64).sum(1L).cpu().data<long>().ToArray();
        var (rr, wr) = (Count(right.logical_and(judged)), Count(right.logical_not().logical_and(judged)));
        var (ww, rw) = (Count(right.logical_not().logical_and(judged.logical_not())), Count(right.logical_and(judged.logical_not())));
        return [.. Enumerable.Range(0, rr.Length).Select(row => new StepConfusion(rr[row], wr[row], ww[row], rw[row]))];
    }

    private static double Share(long part, long whole) => whole == 0 ? double.NaN : (double)part / whole;
}
