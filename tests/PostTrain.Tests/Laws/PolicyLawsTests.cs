using PostTrain.Laws;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Laws;

/// <summary>Every surrogate at every level of the ratio, every named objective, and the value loss under the laws.</summary>
public sealed class PolicyLawsTests
{
    private static readonly Dictionary<string, PolicySurrogate> Surrogates = new()
    {
        ["policy gradient"] = PolicySurrogate.PolicyGradient,
        ["ratio"] = PolicySurrogate.Ratio,
        ["clip"] = PolicySurrogate.Clip(0.2),
        ["dual clip"] = PolicySurrogate.DualClip(0.2, 1.3),
        ["two-sided"] = PolicySurrogate.TwoSided(0.2, 1.1),
        ["cispo"] = PolicySurrogate.Cispo(1.2, 0.9),
        ["sapo"] = PolicySurrogate.Sapo(),
        ["gmpo"] = PolicySurrogate.Gmpo(0.1),
        ["vespo"] = PolicySurrogate.Vespo(),
        ["dppo-tv"] = PolicySurrogate.DppoTv(0.1),
        ["dppo-kl"] = PolicySurrogate.DppoKl(0.05),
        ["dro"] = PolicySurrogate.Dro(0.5),
        ["clip-cov"] = PolicySurrogate.ClipCov(0.2, 0.3, 0, 5),
        ["kl-cov"] = PolicySurrogate.KlCov(0.3),
    };

    // Weights that are constants by design: the gradient is that of another function than the value.
    private static readonly string[] Stopped = ["cispo", "vespo", "dppo-tv", "dppo-kl", "CISPO", "VESPO", "DPPO", "GSPO-token"];

    // Covariances are with the means of the batch at hand.
    private static readonly string[] WholeBatch = ["clip-cov", "kl-cov"];

    // −A·l itself, or a trust region in probability.
    private static readonly string[] Absolute = ["policy gradient", "cispo", "vespo", "dppo-tv", "dppo-kl", "dro"];

    private static readonly Dictionary<string, PolicyObjective> Objectives = new PolicyObjective[]
    {
        PolicyObjectives.Ppo(),
        PolicyObjectives.Grpo(),
        PolicyObjectives.DrGrpo(5),
        PolicyObjectives.Bnpo(),
        PolicyObjectives.Dapo(),
        PolicyObjectives.Gspo(0.3),
        PolicyObjectives.GspoToken(0.3),
        PolicyObjectives.Cispo(),
        PolicyObjectives.Sapo(),
        PolicyObjectives.Gmpo(),
        PolicyObjectives.Luspo(0.3),
        PolicyObjectives.Vespo(),
        PolicyObjectives.Rloo(),
        PolicyObjectives.ReinforcePlusPlus(),
        PolicyObjectives.Reinforce(),
        PolicyObjectives.Gpg(),
        PolicyObjectives.Dppo(),
    }.ToDictionary(objective => objective.Name);

    public static TheoryData<string> SurrogateNames => [.. Surrogates.Keys];

    public static TheoryData<string> ObjectiveNames => [.. Objectives.Keys];

    private static LossSubject Subject(Func<LossBatch, Tensor> loss, LossAggregation aggregation, LossAxes advantages) =>
        LawTable.Subject(
            loss,
            LawTable.MaskWithEmptyRow(),
            aggregation.Denominator,
            ("logProbs", new(Numbers.Uniform(1, 0.3, 4, 5) - 1, LossAxes.Token, true)),
            ("old", new(Numbers.Uniform(2, 0.3, 4, 5) - 1)),
            ("reference", new(Numbers.Uniform(3, 0.3, 4, 5) - 1)),
            ("entropy", new(Numbers.Uniform(4, 0.5, 4, 5) + 1, LossAxes.Token, true)),
            ("advantages", new(advantages == LossAxes.Row ? Numbers.Uniform(5, 1, 4) : Numbers.Uniform(5, 1, 4, 5), advantages)),
            ("weights", new(Numbers.Uniform(6, 0.5, 4, 5) + 1)),
            ("importance", new(Numbers.Uniform(7, 0.5, 4) + 1, LossAxes.Row))
        );

    private static string[] Broken(string name, bool stopped) =>
        [
            .. stopped ? new[] { LawTable.Differences } : [],
            .. WholeBatch.Contains(name) ? new[] { LawTable.MicroBatch, LawTable.Dropping } : [],
        ];

    [Theory]
    [MemberData(nameof(SurrogateNames))]
    public void Surrogates_KeepTheLaws(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(5) })
        {
            var subject = Subject(
                batch =>
                    PolicyLosses
                        .Surrogate(
                            batch["logProbs"],
                            batch["old"],
                            batch["advantages"],
                            batch.Mask,
                            Surrogates[name],
                            RatioLevel.Token,
                            batch["weights"],
                            batch["importance"],
                            aggregation,
                            batch.Denominator
                        )
                        .Loss,
                aggregation,
                LossAxes.Token
            );
            LawTable.Demand(subject, Broken(name, Stopped.Contains(name)));
            var shifted = LossLaws.ReferenceShift(subject, ["logProbs", "old"]);
            Assert.True(shifted.Holds != Absolute.Contains(name), shifted.ToString());
        }
    }

    [Theory]
    [InlineData("clip", RatioLevel.Sequence, LossAxes.Row, false)]
    [InlineData("clip", RatioLevel.SequenceSum, LossAxes.Row, false)]
    [InlineData("sapo", RatioLevel.Sequence, LossAxes.Row, false)]
    [InlineData("ratio", RatioLevel.SequenceSum, LossAxes.Row, false)]
    [InlineData("cispo", RatioLevel.Sequence, LossAxes.Row, true)]
    // GSPO-token's gradient is GSPO's, and so its value's, where a sequence has one advantage, and only there.
    [InlineData("ratio", RatioLevel.SequenceToken, LossAxes.Row, false)]
    [InlineData("ratio", RatioLevel.SequenceToken, LossAxes.Token, true)]
    public void RatiosOfSequences_KeepTheLaws(string name, RatioLevel ratio, LossAxes advantages, bool stopped)
    {
        using var scope = NewDisposeScope();
        var subject = Subject(
            batch =>
                PolicyLosses
                    .Surrogate(
                        batch["logProbs"],
                        batch["old"],
                        batch["advantages"],
                        batch.Mask,
                        Surrogates[name],
                        ratio,
                        aggregation: LossAggregation.SequenceMean,
                        denominator: batch.Denominator
                    )
                    .Loss,
            LossAggregation.SequenceMean,
            advantages
        );
        LawTable.Demand(subject, hessian: ratio != RatioLevel.SequenceToken, Broken(name, stopped));
    }

    [Theory]
    [MemberData(nameof(ObjectiveNames))]
    public void Objectives_KeepTheLaws_WithKlAndEntropy(string name)
    {
        using var scope = NewDisposeScope();
        var objective = Objectives[name] with { Beta = 0.1, EntropyCoefficient = 0.05 };
        var subject = Subject(
            batch =>
                objective
                    .Loss(
                        new PolicyBatch(batch["logProbs"], batch["old"], batch["advantages"], batch.Mask)
                        {
                            ReferenceLogProbs = batch["reference"],
                            Entropy = batch["entropy"],
                            Weights = batch["weights"],
                            ImportanceWeights = batch["importance"],
                        },
                        batch.Denominator
                    )
                    .Loss,
            objective.Aggregation,
            LossAxes.Row
        );
        LawTable.Demand(subject, Broken(name, Stopped.Contains(name)));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0.2)]
    public void ValueLoss_KeepsAllLaws(double? clip)
    {
        using var scope = NewDisposeScope();
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean })
        {
            var subject = LawTable.Subject(
                batch =>
                    PolicyLosses
                        .Value(batch["values"], batch["old"], batch["returns"], batch.Mask, clip, aggregation, batch.Denominator)
                        .Loss,
                LawTable.MaskWithEmptyRow(),
                aggregation.Denominator,
                ("values", new(Numbers.Uniform(8, 1, 4, 5), LossAxes.Token, true)),
                ("old", new(Numbers.Uniform(9, 1, 4, 5))),
                ("returns", new(Numbers.Uniform(10, 1, 4, 5)))
            );
            LawTable.Demand(subject);
            LossLaws.ReferenceShift(subject, ["values", "old", "returns"]).Demand();
        }
    }
}
