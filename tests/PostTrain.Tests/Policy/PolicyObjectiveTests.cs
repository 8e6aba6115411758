using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

public sealed class PolicyObjectiveTests
{
    private static PolicyBatch Batch(Tensor logProbs) =>
        new(logProbs, Numbers.Uniform(1, 1, 2, 3), Numbers.Uniform(2, 2, 2), Numbers.Mask(3, 3, 2))
        {
            ReferenceLogProbs = Numbers.Uniform(3, 1, 2, 3),
            Entropy = logProbs.square(),
        };

    /// <summary>Surrogate + β·kl − c·H, each made apart.</summary>
    [Fact]
    public void Loss_IsTheSumOfItsParts()
    {
        using var scope = NewDisposeScope();
        var logProbs = Numbers.Uniform(4, 1, 2, 3);
        var batch = Batch(logProbs);
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(5) })
        {
            var objective = PolicyObjectives.Grpo() with { Aggregation = aggregation, Beta = 0.3, EntropyCoefficient = 0.1 };
            var kl = KlDivergence.Estimate(logProbs, batch.ReferenceLogProbs!, batch.Mask);
            var expected =
                PolicyLosses.ClippedSurrogate(logProbs, batch.OldLogProbs, batch.Advantages, batch.Mask, 0.2, aggregation).Loss
                + aggregation.Apply(kl, batch.Mask) * 0.3
                - aggregation.Apply(batch.Entropy!, batch.Mask) * 0.1;
            var result = objective.Loss(batch);
            TensorAssert.Close(expected, result.Loss, 1e-14);
            TensorAssert.Close(Masked.Mean(kl, batch.Mask), result.Kl, 1e-14);
            GradientCheck.Run(x => objective.Loss(Batch(x[0])).Loss, logProbs);
            GradientCheck.Run(x => (objective with { CorrectKl = true, Ratio = RatioLevel.Sequence }).Loss(Batch(x[0])).Loss, logProbs);
        }
    }

    /// <summary>Weights leave out the surrogate of a sequence and neither its KL term nor the normaliser.</summary>
    [Fact]
    public void Weights_MultiplyTheSurrogateOnly()
    {
        using var scope = NewDisposeScope();
        var batch = Batch(Numbers.Uniform(5, 1, 2, 3));
        var objective = PolicyObjectives.Bnpo() with { Beta = 0.3 };
        var weighted = objective
            .Loss(batch with { Weights = tensor(new double[] { 0, 2 }), ImportanceWeights = full([2], 0.5, dtype: ScalarType.Float64) })
            .TokenLosses;
        var kl = KlDivergence.Estimate(batch.LogProbs, batch.ReferenceLogProbs!, batch.Mask) * 0.3;
        TensorAssert.Close(kl.narrow(0, 0, 1), weighted.narrow(0, 0, 1), 1e-15);
        TensorAssert.Close(objective.Loss(batch).TokenLosses.narrow(0, 1, 1), weighted.narrow(0, 1, 1), 1e-15);
    }

    /// <summary>An advantage per sequence: GSPO-token has GSPO's value and gradient.</summary>
    [Fact]
    public void Limits_OfTheRatio()
    {
        using var scope = NewDisposeScope();
        var logProbs = Numbers.Uniform(6, 0.1, 2, 3);
        PolicyBatch Of(Tensor x) => new(x, Numbers.Uniform(7, 0.1, 2, 3), Numbers.Uniform(8, 2, 2), Numbers.Mask(3, 3, 2));
        foreach (double clip in new[] { 0.01, 0.5 })
        {
            var (whole, token) = (PolicyObjectives.Gspo(clip), PolicyObjectives.GspoToken(clip));
            TensorAssert.Close(whole.Loss(Of(logProbs)).Loss, token.Loss(Of(logProbs)).Loss, 1e-14);
            TensorAssert.Close(
                Numbers.Gradient(x => whole.Loss(Of(x)).Loss, logProbs),
                Numbers.Gradient(x => token.Loss(Of(x)).Loss, logProbs),
                1e-14
            );
        }
        // One token a sequence: the levels are one.
        PolicyBatch One(Tensor x) => new(x, Numbers.Uniform(9, 1, 4, 1), Numbers.Uniform(10, 2, 4), ones(4, 1));
        var single = Numbers.Uniform(11, 1, 4, 1);
        foreach (var ratio in Enum.GetValues<RatioLevel>())
            TensorAssert.Close(
                PolicyObjectives.Grpo().Loss(One(single)).Loss,
                (PolicyObjectives.Grpo() with { Ratio = ratio }).Loss(One(single)).Loss,
                1e-14
            );
        // Half the batch at a time, over the denominator of the whole.
        var objective = PolicyObjectives.Dapo();
        var batch = Of(logProbs);
        double denominator = objective.Aggregation.Denominator(batch.Mask);
        PolicyBatch Row(long row) =>
            new(
                logProbs.narrow(0, row, 1),
                batch.OldLogProbs.narrow(0, row, 1),
                batch.Advantages.narrow(0, row, 1),
                batch.Mask.narrow(0, row, 1)
            );
        TensorAssert.Close(
            objective.Loss(batch).Loss,
            objective.Loss(Row(0), denominator).Loss + objective.Loss(Row(1), denominator).Loss,
            1e-14
        );
    }

    [Fact]
    public void Presets_AreWhatTheirPapersSay()
    {
        Assert.Equal(PolicySurrogate.Clip(new ClipRange(0.2, 0.28)), PolicyObjectives.Dapo().Surrogate);
        Assert.Equal(LossAggregation.SequenceMean, PolicyObjectives.Grpo().Aggregation);
        Assert.Equal(LossAggregation.SequenceSum(64), PolicyObjectives.DrGrpo(64).Aggregation);
        Assert.Equal(
            (RatioLevel.Sequence, LossAggregation.SequenceSum()),
            (PolicyObjectives.Luspo().Ratio, PolicyObjectives.Luspo().Aggregation)
        );
        Assert.Equal(
            (RatioLevel.SequenceSum, AdvantageMethod.LeaveOneOut),
            (PolicyObjectives.Rloo().Ratio, PolicyObjectives.Rloo().Advantage)
        );
        Assert.Null(PolicyObjectives.Ppo().Advantage);
        Assert.Same(AdvantageMethod.SelfCritical, PolicyObjectives.ReMax().Advantage);
        PolicyObjective[] all =
        [
            PolicyObjectives.Ppo(),
            PolicyObjectives.Grpo(),
            PolicyObjectives.DrGrpo(8),
            PolicyObjectives.Bnpo(),
            PolicyObjectives.Dapo(),
            PolicyObjectives.Gspo(),
            PolicyObjectives.GspoToken(),
            PolicyObjectives.Cispo(),
            PolicyObjectives.Sapo(),
            PolicyObjectives.Gmpo(),
            PolicyObjectives.Luspo(),
            PolicyObjectives.Vespo(),
            PolicyObjectives.Rloo(),
            PolicyObjectives.ReinforcePlusPlus(),
            PolicyObjectives.Reinforce(),
            PolicyObjectives.Gpg(),
            PolicyObjectives.Dppo(),
        ];
        Assert.Equal(all.Length, all.Select(objective => objective.Name).Distinct().Count());
        using var scope = NewDisposeScope();
        foreach (var objective in all)
        {
            TensorAssert.Finite(objective.Loss(Batch(Numbers.Uniform(12, 1, 2, 3))).Loss, objective.Name);
            // Of two rewards 0 and 2 each outcome advantage gives less to the worse.
            if (objective.Name != "REINFORCE++" && objective.Advantage?.Compute(tensor(new double[] { 0, 2 }), 2) is { } advantages)
                Assert.True(advantages[0].ToDouble() < advantages[1].ToDouble(), objective.Advantage.Name);
        }
    }

    [Fact]
    public void Corrections_BoundTheWeights()
    {
        using var scope = NewDisposeScope();
        var trainer = tensor(
            new[,]
            {
                { Math.Log(4), Math.Log(0.25), 0 },
            }
        );
        var (sampler, mask) = (zeros_like(trainer), Numbers.Mask(3, 2));
        TensorAssert.Close([2, 0.25, 0], ImportanceCorrection.Tis().Weights(trainer, sampler, mask), 1e-15);
        TensorAssert.Close([0, 0.25, 0], ImportanceCorrection.Mis().Weights(trainer, sampler, mask), 1e-15);
        TensorAssert.Close([4, 0, 0], ImportanceCorrection.IcePop().Weights(trainer, sampler, mask), 1e-15);
        TensorAssert.Close([1], (ImportanceCorrection.Tis() with { WholeSequences = true }).Weights(trainer, sampler, mask), 1e-15);
        TensorAssert.Close([2, 0.5, 0], (ImportanceCorrection.Tis() with { Lower = 0.5 }).Weights(trainer, sampler, mask), 1e-15);
        Assert.Equal(
            "Upper",
            Assert.Throws<ArgumentOutOfRangeException>(() => new ImportanceCorrection(0).Weights(trainer, sampler, mask)).ParamName
        );
        Ownership.Check(() => [ImportanceCorrection.Tis().Weights(trainer, sampler, mask)], trainer, sampler, mask);
    }

    [Fact]
    public void EntropyControl_ActsBelowItsTarget()
    {
        var control = EntropyControl.Adaptive(target: 0.5, change: 0.1).Next(0.4).Next(0.5);
        Assert.Equal(0.2, control.Coefficient, 1e-15);
        Assert.Equal(0.2, control.Weight(0.5), 1e-15);
        Assert.Equal(0, control.Weight(0.6));
        Assert.Equal(0, control.Next(0.6).Next(0.6).Next(0.6).Coefficient);
        Assert.Equal(0.3, EntropyControl.Fixed(0.3).Next(0).Weight(9));
        Assert.Equal("change", Assert.Throws<ArgumentOutOfRangeException>(() => EntropyControl.Adaptive(1, 0)).ParamName);
    }

    [Fact]
    public void OnlyTheResultsStayAlive_AndMissingTensorsAreNamed()
    {
        using var scope = NewDisposeScope();
        var logProbs = Numbers.Uniform(13, 1, 2, 3).requires_grad_(true);
        var batch = Batch(logProbs);
        foreach (
            var objective in new[]
            {
                PolicyObjectives.Grpo(),
                PolicyObjectives.Gspo() with
                {
                    Beta = 1,
                    CorrectKl = true,
                    EntropyCoefficient = 1,
                },
            }
        )
            Ownership.Check(
                () =>
                {
                    var loss = objective.Loss(batch);
                    return [loss.Loss, loss.TokenLosses, loss.ClipFraction, loss.OldKl, loss.Kl];
                },
                logProbs,
                batch.Mask
            );
        Assert.Contains(
            "ReferenceLogProbs",
            Assert
                .Throws<ArgumentException>(() => (PolicyObjectives.Grpo() with { Beta = 1 }).Loss(batch with { ReferenceLogProbs = null }))
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Entropy",
            Assert
                .Throws<ArgumentException>(() =>
                    (PolicyObjectives.Grpo() with { EntropyCoefficient = 1 }).Loss(batch with { Entropy = null })
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "Beta",
            Assert.Throws<ArgumentOutOfRangeException>(() => (PolicyObjectives.Grpo() with { Beta = -1 }).Loss(batch)).ParamName
        );
    }
}
