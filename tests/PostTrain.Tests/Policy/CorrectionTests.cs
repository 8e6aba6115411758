using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>Corrections for a sampler that is not the trainer: rejections, metrics, trainers.</summary>
[Collection("Sequential")]
public sealed class CorrectionTests
{
    // log π_sampler − log π_old: log 2 and −log 2; log 3 twice; nothing.
    private static (Tensor Trainer, Tensor Sampler, Tensor Mask) Batch()
    {
        var gap = tensor(
            new[,]
            {
                { Math.Log(2), -Math.Log(2), double.NaN },
                { Math.Log(3), Math.Log(3), double.NaN },
                { double.NaN, double.NaN, double.NaN },
            }
        );
        return (zeros_like(gap), gap, Numbers.Mask(3, 2, 2, 0));
    }

    [Theory]
    // |d| of the first row is log 2 = 0.69, of the second log 3 = 1.10.
    [InlineData(RejectionLevel.Token, 2.5, new double[] { 1, 1, 0, 0, 0, 0 })]
    [InlineData(RejectionLevel.Token, 1.5, new double[] { 0, 0, 0, 0, 0, 0 })]
    // Sums 0 and log 9, means 0 and log 3, maxima log 2 and log 3.
    [InlineData(RejectionLevel.SequenceSum, 8.9, new double[] { 1, 1, 0, 0, 0, 0 })]
    [InlineData(RejectionLevel.SequenceSum, 9.1, new double[] { 1, 1, 1, 1, 0, 0 })]
    [InlineData(RejectionLevel.SequenceMean, 2.9, new double[] { 1, 1, 0, 0, 0, 0 })]
    [InlineData(RejectionLevel.SequenceMax, 1.9, new double[] { 0, 0, 0, 0, 0, 0 })]
    [InlineData(RejectionLevel.SequenceMax, 2.1, new double[] { 1, 1, 0, 0, 0, 0 })]
    public void K1_KeepsRatiosWithinTheBounds(RejectionLevel level, double upper, double[] kept)
    {
        using var scope = NewDisposeScope();
        var (trainer, sampler, mask) = Batch();
        var result = ImportanceCorrection.Reject(RolloutRejection.K1(level, upper)).Apply(trainer, sampler, mask);
        TensorAssert.Close(kept, result.Mask.narrow(1, 0, 2), 0, "mask");
        TensorAssert.Same(Numbers.Mask(3, 2, 2, 0), result.Weights, "weights");
        Assert.Equal(1 - kept.Sum() / 4, result.Metrics["rejected"], 1e-15);
        Assert.DoesNotContain("effective_sample_size", result.Metrics.Keys);
    }

    /// <summary>k2 is d²/2; k3 is w − 1 − log w with w = e^(−d): 0.193 at w = ½, 0.307 at w = 2, 0.432 at w = ⅓.</summary>
    [Fact]
    public void K2AndK3_KeepWhatIsBelowTheirBounds_AndAllRulesMustKeep()
    {
        using var scope = NewDisposeScope();
        var (trainer, sampler, mask) = Batch();
        Tensor Kept(params RolloutRejection[] rules) =>
            ImportanceCorrection.Reject(rules).Apply(trainer, sampler, mask).Mask.narrow(0, 0, 2).narrow(1, 0, 2);
        TensorAssert.Close([1, 0, 0, 0], Kept(RolloutRejection.K3(RejectionLevel.Token, 0.2)), 0);
        TensorAssert.Close([1, 1, 0, 0], Kept(RolloutRejection.K3(RejectionLevel.Token, 0.35)), 0);
        TensorAssert.Close([1, 1, 0, 0], Kept(RolloutRejection.K2(RejectionLevel.Token, 0.25)), 0);
        TensorAssert.Close([0, 0, 1, 1], Kept(RolloutRejection.K1(RejectionLevel.Token, 4, 2.5)), 0);
        TensorAssert.Close(
            [1, 0, 0, 0],
            Kept(RolloutRejection.K3(RejectionLevel.Token, 0.2), RolloutRejection.K1(RejectionLevel.SequenceSum, 8)),
            0
        );
        Assert.Equal("sequence_mean_k3", RolloutRejection.K3(RejectionLevel.SequenceMean, 1).Name);
    }

    [Fact]
    public void Metrics_OfWeights_ByHand()
    {
        using var scope = NewDisposeScope();
        var (trainer, sampler, mask) = Batch();
        // Weights ½, 2, ⅓, ⅓; bounded to ½, 1, ⅓, ⅓: mean 13/24, mean of squares (¼ + 1 + 2/9)/4 = 53/144.
        var result = ImportanceCorrection.Tis(1).Apply(trainer, sampler, mask);
        Assert.Equal(13 / 24.0, result.Metrics["weight"], 1e-15);
        Assert.Equal(13 / 24.0 * (13 / 24.0) * 144 / 53, result.Metrics["effective_sample_size"], 1e-15);
        Assert.Equal(0.25, result.Metrics["weight_above"], 1e-15);
        Assert.Equal(1, result.Metrics["weight_max"], 1e-15);
        Assert.Equal(1 / 3.0, result.Metrics["weight_min"], 1e-15);
        // Mean of log 2, −log 2, log 3, log 3.
        Assert.Equal(Math.Log(3) / 2, result.Metrics["kl"], 1e-15);
        // Sequences: weights 1 and 1/9, over the two that have tokens.
        var whole = (ImportanceCorrection.Tis(9) with { WholeSequences = true, Normalizes = true }).Apply(trainer, sampler, mask);
        Assert.Equal(5 / 9.0, whole.Metrics["weight_normalizer"], 1e-15);
        TensorAssert.Close([1.8, 0.2], whole.Weights.narrow(0, 0, 2), 1e-15);
        Assert.Equal((1 + 1 / 81.0) / 2 - 1, whole.Metrics["sequence_chi2"], 1e-15);
        // All weights masked: no sample is left, and nothing is divided by 0.
        var none = (ImportanceCorrection.Mis(0.1) with { Normalizes = true }).Apply(trainer, sampler, mask);
        Assert.Equal(0, none.Metrics["effective_sample_size"]);
        TensorAssert.Zero(none.Weights);
        Assert.All(none.Metrics.Values, value => Assert.True(double.IsFinite(value)));
    }

    [Fact]
    public void ANaN_IsRejected_AndStaysInTheWeights()
    {
        using var scope = NewDisposeScope();
        var (trainer, sampler) = (
            zeros(1, 2),
            tensor(
                    new[,]
                    {
                        { double.NaN, 0 },
                    }
                )
                .to_type(ScalarType.Float32)
        );
        var result = (ImportanceCorrection.Tis() with { Rejections = [RolloutRejection.K3(RejectionLevel.Token, 1)] }).Apply(
            trainer,
            sampler,
            ones(1, 2)
        );
        TensorAssert.Close([0, 1], result.Mask, 0);
        TensorAssert.Close([double.NaN, 1], result.Weights, 0);
    }

    [Fact]
    public void OnlyTheResultsStayAlive_AndErrorsNameTheArgument()
    {
        using var trainer = Numbers.Uniform(1, 1, 2, 3);
        using var sampler = Numbers.Uniform(2, 1, 2, 3);
        using var mask = Numbers.Mask(3, 3, 1);
        foreach (
            var correction in (ImportanceCorrection[])
                [
                    ImportanceCorrection.Tis(),
                    ImportanceCorrection.Reject(RolloutRejection.K3(RejectionLevel.SequenceMax, 0.1)),
                    ImportanceCorrection.IcePop() with
                    {
                        WholeSequences = true,
                        Normalizes = true,
                    },
                ]
        )
            Ownership.Check(
                () =>
                {
                    var result = correction.Apply(trainer, sampler, mask);
                    return [result.Weights, result.Mask];
                },
                trainer,
                sampler,
                mask
            );
        Assert.Equal("rejections", Assert.Throws<ArgumentException>(() => ImportanceCorrection.Reject()).ParamName);
        Assert.Equal("lower", Assert.Throws<ArgumentOutOfRangeException>(() => RolloutRejection.K1(RejectionLevel.Token, 2, 3)).ParamName);
        Assert.Equal(
            "most",
            Assert.Throws<ArgumentOutOfRangeException>(() => RolloutRejection.K3(RejectionLevel.Token, double.NaN)).ParamName
        );
        Assert.Equal("level", Assert.Throws<ArgumentOutOfRangeException>(() => RolloutRejection.K2((RejectionLevel)7, 1)).ParamName);
        Assert.Equal(
            "samplerLogProbs",
            Assert.Throws<ArgumentException>(() => ImportanceCorrection.Tis().Apply(trainer, mask.narrow(1, 0, 2), mask)).ParamName
        );
    }

    [Fact]
    public async Task Grpo_ReportsTheCorrection_AndARejectedBatchChangesNothing()
    {
        using var model = Toy.Model();
        var reports = await GrpoRuns.Train(model, GrpoRuns.Even, GrpoRuns.Small with { Correction = ImportanceCorrection.Tis() });
        Assert.All(reports, report => Assert.InRange(report.Metrics["correction/effective_sample_size"], 0.999, 1 + 1e-9));
        Assert.All(reports, report => Assert.InRange(report.Metrics["correction/weight"], 0.999, 1.001));
        var before = Toy.Bytes(model);
        // No ratio of the same policy is 5.
        var far = ImportanceCorrection.Reject(RolloutRejection.K1(RejectionLevel.Token, 6, 5));
        var rejected = await GrpoRuns.Train(model, GrpoRuns.Even, GrpoRuns.Small with { Correction = far, WeightDecay = 0 });
        Assert.All(rejected, report => Assert.Equal(1, report.Metrics["correction/rejected"]));
        Assert.All(rejected, report => Assert.Equal(0, report.Metrics["policy/learnt_tokens"]));
        Assert.Equal(before, Toy.Bytes(model));
    }
}
