using PostTrain.Distillation;
using PostTrain.Laws;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>Every distillation loss under the laws, with every way to make one number of the tokens' losses.</summary>
public sealed class DistillationLawsTests
{
    private static readonly LossAggregation[] Aggregations =
    [
        LossAggregation.TokenMean,
        LossAggregation.SequenceMean,
        LossAggregation.SequenceSum(5),
    ];

    private static readonly Dictionary<string, DistillationObjective> Options = new()
    {
        ["forward kl"] = new(),
        ["hot forward kl"] = new() { Temperature = 2 },
        ["reverse kl"] = new()
        {
            Divergence = Divergence.ReverseKl,
            ScaleByTemperatureSquared = false,
            Temperature = 0.7,
        },
        ["symmetric kl"] = new() { Divergence = Divergence.SymmetricKl(0.3) },
        ["jsd"] = new() { Divergence = Divergence.GeneralizedJsd(0.3) },
        ["total variation"] = new() { Divergence = Divergence.TotalVariation },
        ["top k with a bucket"] = new() { Support = DistillationSupport.TopK(3) },
        ["student's top k"] = new()
        {
            Divergence = Divergence.ReverseKl,
            Support = DistillationSupport.TopK(2, SupportTail.Renormalize, SupportSource.Student),
        },
    };

    private static readonly Dictionary<string, Func<LossBatch, LossAggregation, Tensor>> Sampled = new()
    {
        ["reverse kl"] = (batch, aggregation) =>
            DistillationLosses
                .SampledReverseKl(batch["logProbs"], null, batch["teacherLogProbs"], batch.Mask, null, aggregation, batch.Denominator)
                .Loss,
        ["capped reverse kl"] = (batch, aggregation) =>
            DistillationLosses
                .SampledReverseKl(
                    batch["logProbs"],
                    batch["weights"],
                    batch["teacherLogProbs"],
                    batch.Mask,
                    1.5,
                    aggregation,
                    batch.Denominator
                )
                .Loss,
        ["minillm"] = (batch, aggregation) => MiniLlm(batch, aggregation, null, null),
        ["discounted minillm"] = (batch, aggregation) =>
            MiniLlm(batch, aggregation, new MiniLlmObjective { LengthNormalization = false, OwnReward = true }, batch["weights"]),
    };

    public static TheoryData<string> OptionNames => [.. Options.Keys];

    public static TheoryData<string> SampledNames => [.. Sampled.Keys];

    private static Tensor MiniLlm(LossBatch batch, LossAggregation aggregation, MiniLlmObjective? options, Tensor? weights) =>
        DistillationLosses
            .MiniLlm(batch["student"], batch["teacher"], batch["tokens"], batch.Mask, options, weights, aggregation, batch.Denominator)
            .Loss;

    private static LossSubject Subject(
        Func<LossBatch, LossAggregation, Tensor> loss,
        LossAggregation aggregation,
        params (string, LossTensor)[] tensors
    ) => LawTable.Subject(batch => loss(batch, aggregation), LawTable.MaskWithEmptyRow(), aggregation.Denominator, tensors);

    private static (string, LossTensor) Student => ("student", new(Numbers.Uniform(1, 2, 4, 5, 6), LossAxes.Token, true));

    private static (string, LossTensor) Teacher => ("teacher", new(Numbers.Uniform(2, 2, 4, 5, 6)));

    private static (string, LossTensor) Tokens => ("tokens", new(Numbers.Ids(3, 6, 4, 5)));

    [Theory]
    [MemberData(nameof(OptionNames))]
    public void Distill_KeepsAllLaws(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var aggregation in Aggregations)
        {
            var subject = Subject(
                (batch, agg) =>
                    DistillationLosses.Distill(batch["student"], batch["teacher"], batch.Mask, Options[name], agg, batch.Denominator).Loss,
                aggregation,
                Student,
                Teacher
            );
            LawTable.Demand(subject);
            // Neither side's logits have an absolute height.
            LossLaws.ReferenceShift(subject, ["student"]).Demand();
            LossLaws.ReferenceShift(subject, ["teacher"]).Demand();
            // One row of all tokens is another sequence mean, and the same sum.
            Assert.True(LossLaws.Packing(subject).Holds == (aggregation != LossAggregation.SequenceMean));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(1)]
    public void WithLabels_KeepsAllLaws(double labelWeight)
    {
        using var scope = NewDisposeScope();
        foreach (var aggregation in Aggregations)
            LawTable.Demand(
                Subject(
                    (batch, agg) =>
                        DistillationLosses
                            .WithLabels(
                                batch["student"],
                                batch["teacher"],
                                batch["tokens"],
                                batch.Mask,
                                labelWeight,
                                null,
                                agg,
                                batch.Denominator
                            )
                            .Loss,
                    aggregation,
                    Student,
                    Teacher,
                    Tokens
                )
            );
    }

    [Fact]
    public void Cosine_KeepsAllLaws()
    {
        using var scope = NewDisposeScope();
        foreach (var aggregation in Aggregations)
            LawTable.Demand(
                Subject(
                    (batch, agg) => DistillationLosses.Cosine(batch["student"], batch["teacher"], batch.Mask, agg, batch.Denominator).Loss,
                    aggregation,
                    Student,
                    Teacher
                )
            );
    }

    [Theory]
    [MemberData(nameof(SampledNames))]
    public void SampledLosses_KeepAllLawsButTheDifferences(string name)
    {
        using var scope = NewDisposeScope();
        bool ofLogits = name.Contains("minillm", StringComparison.Ordinal);
        (string, LossTensor)[] inputs = ofLogits
            ? [Student, Teacher, Tokens]
            :
            [
                ("logProbs", new(Numbers.Uniform(4, 1, 4, 5) - 1, LossAxes.Token, true)),
                ("teacherLogProbs", new(Numbers.Uniform(5, 1, 4, 5) - 1)),
            ];
        foreach (var aggregation in Aggregations)
            LawTable.Demand(
                Subject(Sampled[name], aggregation, [.. inputs, ("weights", new(Numbers.Uniform(6, 1, 4, 5) - 1))]),
                LawTable.Differences
            );
    }
}
