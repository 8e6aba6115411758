using PostTrain.Laws;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>The library's own losses under the laws, and for every law a loss that breaks it.</summary>
public sealed class LossLawsTests
{
    // Rows of 5, 2, 0 and 3 counted positions, the last with a hole.
    private static Tensor Mask() =>
        tensor(
            new double[,]
            {
                { 1, 1, 1, 1, 1 },
                { 1, 1, 0, 0, 0 },
                { 0, 0, 0, 0, 0 },
                { 1, 0, 1, 1, 0 },
            }
        );

    private static LossSubject Subject(
        Func<LossBatch, Tensor> loss,
        Func<Tensor, double>? denominator,
        params (string Name, LossTensor Tensor)[] tensors
    ) => new(loss, new LossBatch(tensors.ToDictionary(pair => pair.Name, pair => pair.Tensor), Mask()), denominator);

    private static (string, LossTensor) Logits => ("logits", new LossTensor(Numbers.Uniform(1, 2, 4, 5, 6), LossAxes.Token, true));

    private static (string, LossTensor) Targets => ("targets", new LossTensor(Numbers.Ids(2, 6, 4, 5)));

    private static (string, LossTensor) LogProbs => ("logProbs", new LossTensor(Numbers.Uniform(3, 0.3, 4, 5), LossAxes.Token, true));

    private static (string, LossTensor) Old => ("oldLogProbs", new LossTensor(Numbers.Uniform(4, 0.3, 4, 5)));

    private static LossSubject Surrogate(LossAggregation aggregation) =>
        Subject(
            batch =>
                PolicyLosses
                    .ClippedSurrogate(
                        batch["logProbs"],
                        batch["oldLogProbs"],
                        batch["advantages"],
                        batch.Mask,
                        0.2,
                        aggregation,
                        batch.Denominator
                    )
                    .Loss,
            aggregation.Denominator,
            LogProbs,
            Old,
            ("advantages", new LossTensor(Numbers.Uniform(5, 1, 4), LossAxes.Row))
        );

    // A loss of one line on which each law can be broken alone.
    private static LossSubject Squares(Func<LossBatch, Tensor> loss) => Subject(loss, LossAggregation.TokenMean.Denominator, LogProbs, Old);

    private static Tensor Mean(Tensor values, LossBatch batch) => LossAggregation.TokenMean.Apply(values, batch.Mask, batch.Denominator);

    public static TheoryData<string> Aggregations => new("token mean", "token sum", "sequence mean", "sequence sum");

    private static LossAggregation Aggregation(string name) =>
        name switch
        {
            "token mean" => LossAggregation.TokenMean,
            "token sum" => LossAggregation.TokenSum,
            "sequence mean" => LossAggregation.SequenceMean,
            _ => LossAggregation.SequenceSum(5),
        };

    [Theory]
    [MemberData(nameof(Aggregations))]
    public void NegativeLogLikelihood_KeepsAllLaws(string name)
    {
        using var scope = NewDisposeScope();
        var aggregation = Aggregation(name);
        var subject = Subject(
            batch =>
                SupervisedLosses.NegativeLogLikelihood(batch["logits"], batch["targets"], batch.Mask, aggregation, batch.Denominator).Loss,
            aggregation.Denominator,
            Logits,
            Targets
        );
        Assert.Equal(6, LossLaws.All(subject).Count);
        foreach (var result in LossLaws.All(subject))
            result.Demand();
        // One row of all tokens is another sequence mean, and the same token mean.
        var packed = LossLaws.Packing(subject);
        Assert.True(packed.Holds == name is not "sequence mean", packed.ToString());
        // Logits have no absolute height.
        LossLaws.ReferenceShift(subject, ["logits"]).Demand();
    }

    [Theory]
    [MemberData(nameof(Aggregations))]
    public void CrossEntropy_KeepsAllLaws(string name)
    {
        using var scope = NewDisposeScope();
        var aggregation = Aggregation(name);
        var options = new CrossEntropyObjective
        {
            LabelSmoothing = 0.1,
            ZLoss = 0.01,
            Logits = new LogitTransform { SoftCap = 3, Temperature = 0.7 },
        };
        var weights = ("weights", new LossTensor(Numbers.Uniform(6, 1, 4, 5)));
        var plain = Subject(
            batch =>
                SupervisedLosses
                    .CrossEntropy(batch["logits"], batch["targets"], batch.Mask, options, batch["weights"], aggregation, batch.Denominator)
                    .Loss,
            aggregation.Denominator,
            Logits,
            Targets,
            weights
        );
        foreach (var result in LossLaws.All(plain))
            result.Demand();
        var chunked = Subject(
            batch =>
                SupervisedLosses
                    .ChunkedCrossEntropy(
                        batch["hidden"],
                        batch["weight"],
                        batch["targets"],
                        batch.Mask,
                        options,
                        null,
                        batch["weights"],
                        aggregation,
                        batch.Denominator,
                        3
                    )
                    .Loss,
            aggregation.Denominator,
            ("hidden", new LossTensor(Numbers.Uniform(7, 1, 4, 5, 3), LossAxes.Token, true)),
            ("weight", new LossTensor(Numbers.Uniform(8, 1, 6, 3), LossAxes.Shared, true)),
            Targets,
            weights
        );
        foreach (var result in LossLaws.All(chunked))
            result.Demand();
    }

    [Fact]
    public void Dft_KeepsAllLawsButTheDifferences()
    {
        using var scope = NewDisposeScope();
        var subject = Subject(
            batch => SupervisedLosses.Dft(batch["logits"], batch["targets"], batch.Mask, null, batch.Denominator).Loss,
            LossAggregation.TokenMean.Denominator,
            Logits,
            Targets
        );
        foreach (var result in LossLaws.All(subject))
            Assert.True(result.Holds == (result.Law != "gradient versus differences"), result.ToString());
    }

    [Theory]
    [MemberData(nameof(Aggregations))]
    public void ClippedSurrogate_KeepsAllLaws(string name)
    {
        using var scope = NewDisposeScope();
        var subject = Surrogate(Aggregation(name));
        foreach (var result in LossLaws.All(subject))
            result.Demand();
        LossLaws.ReferenceShift(subject, ["logProbs", "oldLogProbs"]).Demand();
        Assert.False(LossLaws.ReferenceShift(subject, ["logProbs"]).Holds);
    }

    [Theory]
    [InlineData(KlEstimator.K1)]
    [InlineData(KlEstimator.K2)]
    [InlineData(KlEstimator.K3)]
    [InlineData(KlEstimator.Absolute)]
    public void KlDivergence_KeepsAllLaws(KlEstimator estimator)
    {
        using var scope = NewDisposeScope();
        var subject = Squares(batch => Mean(KlDivergence.Estimate(batch["logProbs"], batch["oldLogProbs"], batch.Mask, estimator), batch));
        foreach (var result in LossLaws.All(subject))
            result.Demand();
        LossLaws.ReferenceShift(subject, ["logProbs", "oldLogProbs"]).Demand();
        LossLaws.Packing(subject).Demand();
    }

    [Fact]
    public void ExactKl_KeepsAllLaws()
    {
        using var scope = NewDisposeScope();
        var subject = Subject(
            batch => Mean(KlDivergence.Exact(batch["logits"], batch["reference"], batch.Mask), batch),
            LossAggregation.TokenMean.Denominator,
            Logits,
            ("reference", new LossTensor(Numbers.Uniform(9, 2, 4, 5, 6)))
        );
        foreach (var result in LossLaws.All(subject))
            result.Demand();
        LossLaws.Packing(subject).Demand();
        // Each side has a height of its own that does not matter.
        LossLaws.ReferenceShift(subject, ["logits"]).Demand();
        LossLaws.ReferenceShift(subject, ["reference"]).Demand();
    }

    [Fact]
    public void EveryLaw_IsBrokenByALossThatDeservesIt()
    {
        using var scope = NewDisposeScope();
        LossLaws.MicroBatch(Squares(batch => Mean(batch["logProbs"].square(), batch))).Demand();
        // The micro-batch's own denominator.
        AssertBroken(LossLaws.MicroBatch(Squares(batch => Masked.Mean(batch["logProbs"].square(), batch.Mask))), "micro-batch");
        // Rows weighed by their place.
        AssertBroken(LossLaws.Permutation(Squares(batch => Mean(batch["logProbs"] * arange(4).unsqueeze(1), batch))), "permutation");
        // A mean over all columns.
        AssertBroken(LossLaws.Padding(Squares(batch => Masked.Sum(batch["logProbs"], batch.Mask) / batch.Mask.shape[1])), "padding");
        // The mask as a factor: 0·NaN.
        AssertBroken(
            LossLaws.MaskedValues(Squares(batch => (batch["logProbs"] * batch["oldLogProbs"] * batch.Mask).sum())),
            "masked values"
        );
        // The value is clean, the gradient is not: 0·NaN in the product's backward.
        AssertBroken(LossLaws.MaskedValues(Squares(batch => Mean(batch["logProbs"] * batch["oldLogProbs"], batch))), "masked values");
        // A difference of neighbours sees the holes.
        AssertBroken(
            LossLaws.MaskEqualsDropping(
                Squares(batch => Mean(Masked.Counted(batch["logProbs"], batch.Mask).cumsum(1) * arange(batch.Mask.shape[1]), batch))
            ),
            "mask equals dropping"
        );
        AssertBroken(
            LossLaws.Packing(Squares(batch => LossAggregation.SequenceMean.Apply(batch["logProbs"], batch.Mask, batch.Denominator))),
            "packing"
        );
        AssertBroken(
            LossLaws.ReferenceShift(
                Squares(batch => Mean(batch["logProbs"] * 2 - batch["oldLogProbs"], batch)),
                ["logProbs", "oldLogProbs"]
            ),
            "reference shift"
        );
        // Half of the gradient is stopped.
        AssertBroken(
            LossLaws.GradientVersusDifferences(Squares(batch => Mean(batch["logProbs"] * batch["logProbs"].detach(), batch))),
            "gradient versus differences"
        );
    }

    private static void AssertBroken(LawResult result, string law)
    {
        Assert.Equal(law, result.Law);
        Assert.False(result.Holds, result.ToString());
        Assert.Contains("broken", Assert.Throws<InvalidOperationException>(result.Demand).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Results_SayHowMuchAndWhere()
    {
        using var scope = NewDisposeScope();
        // The derivative of x·sg(x) is 2x and the graph says x; the largest |x| of the row of one is 3: |3 − 6|/7.
        var subject = new LossSubject(
            batch => (batch["x"] * batch["x"].detach()).sum(),
            new LossBatch(
                new Dictionary<string, LossTensor>
                {
                    ["x"] = new(
                        tensor(
                            new double[,]
                            {
                                { 1, 3, -2 },
                            }
                        ),
                        LossAxes.Token,
                        true
                    ),
                },
                ones(1, 3)
            )
        );
        var result = LossLaws.GradientVersusDifferences(subject);
        Assert.Equal(3.0 / 7, result.Error, 1e-8);
        Assert.Equal("the gradient of x, element 1", result.Worst);
        Assert.Contains(
            "broken, error 0.429 of 1E-07 allowed, at the gradient of x, element 1",
            result.ToString(),
            StringComparison.Ordinal
        );
        Assert.False(new LawResult("law", double.NaN, 1, "loss").Holds);
        new LawResult("law", 1, 1, "loss").Demand();
    }

    [Fact]
    public void NothingStaysAlive()
    {
        using var logProbs = Numbers.Uniform(10, 1, 3, 2);
        using var mask = ones(3, 2);
        Ownership.Check(
            () =>
            {
                var subject = new LossSubject(
                    batch => LossAggregation.TokenMean.Apply(batch["x"], batch.Mask, batch.Denominator),
                    new LossBatch(new Dictionary<string, LossTensor> { ["x"] = new(logProbs, LossAxes.Token, true) }, mask),
                    LossAggregation.TokenMean.Denominator
                );
                foreach (var result in LossLaws.All(subject))
                    result.Demand();
                LossLaws.Packing(subject).Demand();
                return [];
            },
            logProbs,
            mask
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var square = Squares(batch => Mean(batch["logProbs"], batch));
        Assert.Contains(
            "Denominator",
            Assert.Throws<ArgumentException>(() => LossLaws.MicroBatch(square with { Denominator = null })).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(4, LossLaws.All(square with { Denominator = null }).Count);
        Assert.Contains(
            "advantages belongs to rows",
            Assert.Throws<ArgumentException>(() => LossLaws.Packing(Surrogate(LossAggregation.TokenMean))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no tensor \"reference\", only logProbs, oldLogProbs",
            Assert.Throws<KeyNotFoundException>(() => LossLaws.ReferenceShift(square, ["reference"])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "expected a scalar",
            Assert.Throws<ArgumentException>(() => LossLaws.Padding(Squares(batch => batch["logProbs"]))).Message,
            StringComparison.Ordinal
        );
        var wrong = Subject(batch => batch["x"].sum(), null, ("x", new LossTensor(zeros(4, 6))));
        Assert.Contains(
            "x has shape [4, 6], expected [B,T,...] with the mask's [4, 5]",
            Assert.Throws<ArgumentException>(() => LossLaws.Padding(wrong)).Message,
            StringComparison.Ordinal
        );
        var single = Subject(batch => batch["x"].sum(), null, ("x", new LossTensor(zeros(4, 5), LossAxes.Token, true)));
        Assert.Contains(
            "Float32, expected Float64",
            Assert.Throws<ArgumentException>(() => LossLaws.GradientVersusDifferences(single)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no tensor is differentiable",
            Assert
                .Throws<ArgumentException>(() =>
                    LossLaws.GradientVersusDifferences(Subject(batch => batch["x"].sum(), null, ("x", new LossTensor(zeros(4, 5)))))
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Equal("columns", Assert.Throws<ArgumentOutOfRangeException>(() => LossLaws.Padding(square, 0)).ParamName);
        Assert.Equal("step", Assert.Throws<ArgumentOutOfRangeException>(() => LossLaws.GradientVersusDifferences(square, 0)).ParamName);
        Assert.Equal("threads", Assert.Throws<ArgumentOutOfRangeException>(() => LossLaws.ThreadCount(square, 1)).ParamName);
    }
}
