using PostTrain.Laws;
using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Preference;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>Every preference loss under the laws: the chosen completion by its tokens, the rejected one, of another length, by its
/// sum.</summary>
public sealed class PreferenceLawsTests
{
    // Losses with a likelihood over the tokens of the batch at hand, or with a sort of the batch, cannot be had from parts.
    private static readonly string[] WholeBatch = ["sft", "mpo", "rpo", "aot", "aot_unpaired", "cpo", "tpo", "tpo-l"];

    // A likelihood is of the policy alone; AOT sorts log-probabilities, which a constant a token moves by their lengths.
    private static readonly string[] Absolute = ["sft", "mpo", "rpo", "irpo", "aot", "reference free"];

    private static readonly Dictionary<string, DpoObjective> Options = new(
        PreferenceData.DpoLosses.Select(pair => KeyValuePair.Create(pair.Key, new DpoObjective { Beta = 0.3, Loss = pair.Value }))
    )
    {
        ["forward kl"] = new() { Divergence = FDivergence.ForwardKl },
        ["jensen-shannon"] = new() { Divergence = FDivergence.JensenShannon },
        ["alpha"] = new() { Divergence = FDivergence.Alpha(0.5) },
        ["positive"] = new() { PositivePenalty = 2 },
        ["reference free"] = new() { ReferenceFree = true },
    };

    private static readonly Dictionary<string, Func<LossBatch, Tensor>> Others = new()
    {
        ["cpo"] = batch => PreferenceLosses.Cpo(Policy(batch), CpoObjective.Cpo(), batch.Denominator).Loss,
        ["cpo without likelihood"] = batch =>
            PreferenceLosses.Cpo(Policy(batch), CpoObjective.Cpo(likelihoodWeight: 0), batch.Denominator).Loss,
        ["simpo"] = batch => PreferenceLosses.Cpo(Policy(batch), CpoObjective.Simpo(), batch.Denominator).Loss,
        ["alphapo"] = batch => PreferenceLosses.Cpo(Policy(batch), CpoObjective.AlphaPo(), batch.Denominator).Loss,
        ["orpo"] = batch => PreferenceLosses.Orpo(Policy(batch), 0.3, null, batch.Denominator).Loss,
        ["tpo"] = batch =>
            PreferenceLosses.Tpo(Policy(batch), batch["gold"], batch["goldLengths"], CpoObjective.Tpo(), batch.Denominator).Loss,
        ["tpo-l"] = batch =>
            PreferenceLosses.Tpo(Policy(batch), batch["gold"], batch["goldLengths"], CpoObjective.TpoL(), batch.Denominator).Loss,
        ["xpo"] = batch => PreferenceLosses.Xpo(Policy(batch), Reference(batch), batch["gold"], 0.1, null, batch.Denominator).Loss,
        ["online dpo"] = batch =>
            PreferenceLosses
                .OnlineDpo(
                    Both(Policy(batch)),
                    Both(Reference(batch)),
                    cat([batch["gold"], batch["rejected"]], 0).detach(),
                    null,
                    batch.Denominator ?? batch.Mask.shape[0]
                )
                .Loss,
        ["weighted dpo"] = batch =>
            PreferenceLosses.Dpo(Policy(batch), Reference(batch), null, batch["goldLengths"], batch.Denominator).Loss,
        ["kto"] = batch =>
            UnpairedLosses
                .Kto(
                    Policy(batch).Chosen,
                    Reference(batch).Chosen,
                    batch["desirable"],
                    tensor(0.4, ScalarType.Float64),
                    new KtoObjective { Beta = 0.5, UndesirableWeight = 1.3 },
                    batch.Denominator
                )
                .Loss,
        ["bco"] = batch =>
            UnpairedLosses
                .Bco(Policy(batch).Chosen, Reference(batch).Chosen, batch["desirable"], 0.2, batch["goldLengths"], 0.5, batch.Denominator)
                .Loss,
        ["sppo"] = batch =>
            RegressionLosses.Sppo(Policy(batch).Chosen, Reference(batch).Chosen, batch["wins"], 0.5, batch.Denominator).Loss,
        ["a*-po"] = batch =>
            RegressionLosses.OptimalAdvantage(Policy(batch).Chosen, Reference(batch).Chosen, batch["wins"], 0.5, batch.Denominator).Loss,
    };

    public static TheoryData<string> DpoNames => [.. Options.Keys];

    public static TheoryData<string> OtherNames => [.. Others.Keys];

    private static PairLogProbs Policy(LossBatch batch) =>
        new(
            Masked.Sum(batch["chosen"], batch.Mask, 1),
            batch["rejected"],
            (batch.Mask != 0).to_type(ScalarType.Float64).sum(1L),
            batch["rejectedLengths"]
        );

    private static PairLogProbs Reference(LossBatch batch) =>
        new(Masked.Sum(batch["referenceChosen"], batch.Mask, 1), batch["referenceRejected"]);

    private static Tensor Both(PairLogProbs pairs) => cat([pairs.Chosen, pairs.Rejected], 0);

    private static LossSubject Subject(Func<LossBatch, Tensor> loss) =>
        LawTable.Subject(
            loss,
            LawTable.Mask(),
            mask => mask.shape[0],
            ("chosen", new(Numbers.Uniform(1, 0.9, 4, 5) - 1, LossAxes.Token, true)),
            ("referenceChosen", new(Numbers.Uniform(2, 0.9, 4, 5) - 1)),
            ("rejected", new(Numbers.Uniform(3, 2, 4) - 3, LossAxes.Row, true)),
            ("referenceRejected", new(Numbers.Uniform(4, 2, 4) - 3, LossAxes.Row)),
            ("rejectedLengths", new(tensor(new double[] { 3, 4, 1, 2 }), LossAxes.Row)),
            ("gold", new(Numbers.Uniform(5, 1, 4) - 2, LossAxes.Row, true)),
            ("goldLengths", new(tensor(new double[] { 1, 2, 3, 2 }), LossAxes.Row)),
            ("desirable", new(tensor(new[] { true, false, false, true }), LossAxes.Row)),
            ("wins", new(tensor(new[] { 0.9, 0.2, 0.5, 0.7 }), LossAxes.Row))
        );

    [Theory]
    [MemberData(nameof(DpoNames))]
    public void Dpo_KeepsTheLaws(string name)
    {
        using var scope = NewDisposeScope();
        var subject = Subject(batch => PreferenceLosses.Dpo(Policy(batch), Reference(batch), Options[name], null, batch.Denominator).Loss);
        LawTable.Demand(subject, WholeBatch.Contains(name) ? [LawTable.MicroBatch, LawTable.Dropping] : []);
        var shifted = LossLaws.ReferenceShift(subject, ["chosen", "referenceChosen", "rejected", "referenceRejected"]);
        Assert.True(shifted.Holds != Absolute.Contains(name), shifted.ToString());
    }

    [Theory]
    [MemberData(nameof(OtherNames))]
    public void OtherLosses_KeepTheLaws(string name)
    {
        using var scope = NewDisposeScope();
        LawTable.Demand(Subject(Others[name]), WholeBatch.Contains(name) ? [LawTable.MicroBatch, LawTable.Dropping] : []);
    }

    [Theory]
    [InlineData("weighted dpo")]
    [InlineData("xpo")]
    [InlineData("online dpo")]
    [InlineData("kto")]
    [InlineData("bco")]
    [InlineData("sppo")]
    [InlineData("a*-po")]
    public void LossesOfLogRatios_DoNotSeeWhatBothSidesShare(string name)
    {
        using var scope = NewDisposeScope();
        LossLaws.ReferenceShift(Subject(Others[name]), ["chosen", "referenceChosen"]).Demand();
        Assert.False(LossLaws.ReferenceShift(Subject(Others[name]), ["chosen"]).Holds);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NashMd_KeepsAllLawsButTheDifferences(bool perTokenKl)
    {
        using var scope = NewDisposeScope();
        var subject = LawTable.Subject(
            batch =>
                PreferenceLosses
                    .NashMd(batch["logProbs"], batch["reference"], batch["wins"], batch.Mask, 0.3, perTokenKl, batch.Denominator)
                    .Loss,
            LawTable.MaskWithEmptyRow(),
            mask => mask.shape[0],
            ("logProbs", new(Numbers.Uniform(6, 1, 4, 5) - 1, LossAxes.Token, true)),
            ("reference", new(Numbers.Uniform(7, 1, 4, 5) - 1)),
            ("wins", new(tensor(new[] { 0.9, 0.2, 0.5, 0.7 }), LossAxes.Row))
        );
        LawTable.Demand(subject, LawTable.Differences);
    }
}
