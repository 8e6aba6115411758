using PostTrain.Laws;
using PostTrain.Numerics;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>Every reward-model loss under the laws.</summary>
public sealed class RewardModelLawsTests
{
    private static readonly Dictionary<string, Func<LossBatch, Tensor>> Pairs = new()
    {
        ["bradley-terry"] = batch => RewardModelLosses.BradleyTerry(batch["first"], batch["second"], null, null, batch.Denominator).Loss,
        ["margin, centring, smoothing"] = batch =>
            RewardModelLosses
                .BradleyTerry(
                    batch["first"],
                    batch["second"],
                    batch["margins"],
                    new BradleyTerryObjective { CenteringCoefficient = 0.1, LabelSmoothing = 0.2 },
                    batch.Denominator
                )
                .Loss,
        ["soft"] = batch =>
            RewardModelLosses
                .SoftBradleyTerry(batch["first"], batch["second"], batch["probabilities"], batch["margins"], 0, batch.Denominator)
                .Loss,
        ["outcome"] = batch => RewardClassificationLosses.Outcome(batch["first"], batch["probabilities"], batch.Denominator).Loss,
    };

    public static TheoryData<string> PairNames => [.. Pairs.Keys];

    public static TheoryData<string> Aggregations => new("token mean", "sequence mean", "sequence sum");

    private static LossAggregation Aggregation(string name) =>
        name switch
        {
            "token mean" => LossAggregation.TokenMean,
            "sequence mean" => LossAggregation.SequenceMean,
            _ => LossAggregation.SequenceSum(5),
        };

    [Theory]
    [MemberData(nameof(PairNames))]
    public void LossesOfPairs_KeepTheLaws(string name)
    {
        using var scope = NewDisposeScope();
        var subject = LawTable.Subject(
            Pairs[name],
            ones(4, 1),
            mask => mask.shape[0],
            ("first", new(Numbers.Uniform(1, 2, 4), LossAxes.Row, true)),
            ("second", new(Numbers.Uniform(2, 2, 4), LossAxes.Row, true)),
            ("margins", new(Numbers.Uniform(3, 0.5, 4), LossAxes.Row)),
            ("probabilities", new(Numbers.Uniform(4, 0.5, 4) + 0.5, LossAxes.Row))
        );
        LawTable.Demand(subject);
        // Rewards have no absolute height, but for centring and for a single answer's.
        var shifted = LossLaws.ReferenceShift(subject, ["first", "second"]);
        Assert.True(shifted.Holds == name is "bradley-terry" or "soft", shifted.ToString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LossesOfRankings_KeepTheLaws(bool pairwise)
    {
        using var scope = NewDisposeScope();
        // Rows of 5, 2, 1 and 3 answers; the filler of a rank, −100, would be the best of all.
        var ranks = tensor(
            new long[,]
            {
                { 3, 1, 5, 2, 4 },
                { 2, 1, 0, 0, 0 },
                { 1, 0, 0, 0, 0 },
                { 3, 0, 1, 2, 0 },
            }
        );
        var subject = LawTable.Subject(
            batch =>
                (
                    pairwise
                        ? RewardModelLosses.KWise(batch["rewards"], batch["ranks"], batch.Mask, batch.Denominator)
                        : RewardModelLosses.PlackettLuce(batch["rewards"], batch["ranks"], batch.Mask, batch.Denominator)
                ).Loss,
            LawTable.Mask(),
            mask => (mask.sum(1L) > 1).sum().ToDouble(),
            ("rewards", new(Numbers.Uniform(5, 2, 4, 5), LossAxes.Token, true)),
            ("ranks", new(ranks))
        );
        LawTable.Demand(subject);
        LossLaws.ReferenceShift(subject, ["rewards"]).Demand();
    }

    [Theory]
    [MemberData(nameof(Aggregations))]
    public void LossesOfSteps_KeepTheLaws(string name)
    {
        using var scope = NewDisposeScope();
        var aggregation = Aggregation(name);
        LawTable.Demand(
            LawTable.Subject(
                batch =>
                    RewardClassificationLosses.Steps(batch["logits"], batch["labels"], batch.Mask, aggregation, batch.Denominator).Loss,
                LawTable.MaskWithEmptyRow(),
                aggregation.Denominator,
                ("logits", new(Numbers.Uniform(6, 2, 4, 5), LossAxes.Token, true)),
                ("labels", new(Numbers.Uniform(7, 0.5, 4, 5) + 0.5))
            )
        );
        LawTable.Demand(
            LawTable.Subject(
                batch =>
                    RewardClassificationLosses
                        .StepClasses(batch["logits"], batch["labels"], batch.Mask, aggregation, batch.Denominator)
                        .Loss,
                LawTable.MaskWithEmptyRow(),
                aggregation.Denominator,
                ("logits", new(Numbers.Uniform(8, 2, 4, 5, 3), LossAxes.Token, true)),
                ("labels", new(Numbers.Ids(9, 3, 4, 5)))
            )
        );
    }
}
