using PostTrain.Kernels;
using PostTrain.Operators;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class PairwiseKernelsTests
{
    private static readonly DpoLoss[] Losses =
    [
        MarginLoss.Sigmoid(),
        MarginLoss.Sigmoid(0.1),
        DpoLoss.OfMargin(MarginLoss.Sigmoid(), lengthNormalized: true),
        MarginLoss.Hinge,
        DpoLoss.Ipo(),
        DpoLoss.Ipo(false),
        MarginLoss.Robust(0.2),
        MarginLoss.Exo(),
        MarginLoss.DiscoPop(),
        MarginLoss.DiscoPop(0.7),
        DpoLoss.NcaPair,
        DpoLoss.BcoPair,
        DpoLoss.SppoHard,
        DpoLoss.ApoZero,
        DpoLoss.ApoDown,
        DpoLoss.ChosenLikelihood(),
        DpoLoss.ChosenLikelihood(false),
        DpoLoss.Mpo(),
        DpoLoss.Rpo(0.5),
        DpoLoss.Irpo(0.3),
    ];

    private static readonly FDivergence[] Divergences =
    [
        FDivergence.ReverseKl,
        FDivergence.ForwardKl,
        FDivergence.JensenShannon,
        FDivergence.Alpha(0.5),
        FDivergence.Alpha(1),
    ];

    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Dpo_OfOnePair_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        Tensor Of(double value) => tensor(new[] { value });
        // D_w − D_l = (−1 + 2) − (−3 + 1) = 3, h = 1.5: log(1 + e^−1.5) and ½·σ(−1.5).
        var loss = PairwiseKernels.Dpo(new PairLogProbs(Of(-1), Of(-3)), new PairLogProbs(Of(-2), Of(-1)), new DpoObjective { Beta = 0.5 });
        KernelFuzz.Near(0.20141327798275246, loss.Loss, 1e-15, "loss");
        TensorAssert.Close([-0.09121276190317817], loss.ChosenGradient, 1e-15);
        TensorAssert.Close([0.09121276190317817], loss.RejectedGradient, 1e-15);
        Assert.Equal((1, 0.5, -1), (loss.Accuracy, loss.ChosenReward, loss.RejectedReward));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Dpo_IsTheOracle_ForEveryLossAndDivergence(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (var loss in Losses)
        {
            foreach (var divergence in Divergences)
            {
                using var scope = NewDisposeScope();
                long pairs = KernelFuzz.Lengths[seed++ % KernelFuzz.Lengths.Length];
                Tensor Make(int offset, double scale, double mean) =>
                    KernelFuzz.Make(10 * seed + offset, type, strided, scale, mean, pairs);
                var policy = new PairLogProbs(Make(1, 1, -2), Make(2, 1, -2), Make(3, 3, 6).round(), Make(4, 3, 6).round());
                var reference = seed % 5 == 4 ? null : new PairLogProbs(Make(5, 1, -2), Make(9, 1, -2));
                var options = new DpoObjective
                {
                    Beta = seed % 2 == 0 ? 0.1 : 0.7,
                    Loss = loss,
                    Divergence = divergence,
                    PositivePenalty = seed % 3 == 0 ? 2.5 : 0,
                    ReferenceFree = seed % 4 == 3,
                };
                var weights = seed % 2 == 0 ? null : Make(7, 0.4, 1);
                double? denominator = seed % 3 == 1 ? 17 : null;
                Check(policy, reference, options, weights, denominator, type);
            }
        }
    }

    private static void Check(
        PairLogProbs policy,
        PairLogProbs? reference,
        DpoObjective options,
        Tensor? weights,
        double? denominator,
        ScalarType type
    )
    {
        double tolerance = KernelFuzz.Tolerance(type) * (type == ScalarType.Float32 && options.Loss == MarginLoss.DiscoPop() ? 5 : 1);
        string what = $"{options.Loss} of {options.Divergence}";
        using var oracle = Fused.Reference();
        var expected = PreferenceLosses.Dpo(policy, reference, options, weights, denominator);
        var gradients = KernelFuzz.Gradients(
            x => PreferenceLosses.Dpo(policy with { Chosen = x[0], Rejected = x[1] }, reference, options, weights, denominator).Loss,
            policy.Chosen,
            policy.Rejected
        );
        var actual = PairwiseKernels.Dpo(policy, reference, options, weights, denominator);
        TensorAssert.Close(expected.PairLosses, actual.PairLosses, tolerance, $"pair losses, {what}");
        KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, tolerance, $"loss, {what}");
        TensorAssert.Close(gradients[0], actual.ChosenGradient, tolerance, $"gradient of chosen, {what}");
        TensorAssert.Close(gradients[1], actual.RejectedGradient, tolerance, $"gradient of rejected, {what}");
        KernelFuzz.Near(expected.Accuracy.ToDouble(), actual.Accuracy, 1e-6, "accuracy");
        if (policy.Chosen.numel() == 0)
            return;
        KernelFuzz.Near(expected.ChosenRewards.mean().ToDouble(), actual.ChosenReward, tolerance, "chosen reward");
        KernelFuzz.Near(expected.RejectedRewards.mean().ToDouble(), actual.RejectedReward, tolerance, "rejected reward");
    }

    [Fact]
    public void Dpo_StaysFiniteFarAway_AndKeepsANan()
    {
        using var scope = NewDisposeScope();
        var far = tensor(new[] { 1e4, -1e4, 0, 900.0, -900 });
        foreach (
            var loss in new[]
            {
                MarginLoss.Sigmoid(),
                DpoLoss.BcoPair,
                DpoLoss.NcaPair,
                DpoLoss.ApoZero,
                MarginLoss.Exo(),
                MarginLoss.DiscoPop(),
            }
        )
        {
            foreach (var divergence in Divergences)
                Check(
                    new PairLogProbs(far, far.flip(0)),
                    null,
                    new DpoObjective { Loss = loss, Divergence = divergence },
                    null,
                    null,
                    ScalarType.Float64
                );
        }
        var nan = PairwiseKernels.Dpo(new PairLogProbs(tensor(new[] { double.NaN, -1 }), tensor(new[] { -1.0, -2 })), null);
        Assert.True(double.IsNaN(nan.Loss));
        Assert.True(double.IsNaN(Numbers.Values(nan.ChosenGradient)[0]));
        Assert.True(double.IsFinite(Numbers.Values(nan.ChosenGradient)[1]));
    }

    [Fact]
    public void Dpo_GivesTheGoldenValues()
    {
        int count = 0;
        foreach (var item in GoldenFile.Load("dpo")!.Cases.Select(item => item.Open()).Where(item => item.Kind == "dpo_from_logps"))
        {
            using var scope = NewDisposeScope();
            double smoothing = item.Parameter("label_smoothing", 0);
            var options = new DpoObjective
            {
                Beta = item.Parameter("beta", double.NaN),
                ReferenceFree = item.Flag("reference_free"),
                Loss = item.Text("loss_type") switch
                {
                    "sigmoid" => MarginLoss.Sigmoid(smoothing),
                    "hinge" => MarginLoss.Hinge,
                    _ => DpoLoss.Ipo(false),
                },
            };
            var loss = PairwiseKernels.Dpo(
                new PairLogProbs(item.Input("chosen_logps"), item.Input("rejected_logps")),
                new PairLogProbs(item.Input("ref_chosen_logps"), item.Input("ref_rejected_logps")),
                options
            );
            GoldenTolerance.Close(item.Expected("losses"), loss.PairLosses, item.Id);
            GoldenTolerance.Close(item.Gradient("chosen_logps"), loss.ChosenGradient, item.Id);
            GoldenTolerance.Close(item.Gradient("rejected_logps"), loss.RejectedGradient, item.Id);
            count++;
        }
        Assert.True(count > 0);
    }

    [Fact]
    public void LossesThatSort_AreNotSupported()
    {
        Assert.False(PairwiseKernels.Supports(DpoLoss.Aot()));
        Assert.False(PairwiseKernels.Supports(DpoLoss.Weighted((1, DpoLoss.AotUnpaired()), (1, MarginLoss.Hinge))));
        Assert.All(Losses, loss => Assert.True(PairwiseKernels.Supports(loss)));
        using var scope = NewDisposeScope();
        var pairs = new PairLogProbs(zeros(2), zeros(2));
        Assert.Throws<NotSupportedException>(() => PairwiseKernels.Dpo(pairs, null, new DpoObjective { Loss = DpoLoss.Aot() }));
    }

    [Fact]
    public void LossesAndDivergencesOfOnesOwn_AreNotSupported()
    {
        using var scope = NewDisposeScope();
        var pairs = new PairLogProbs(zeros(2), zeros(2));
        DpoLoss own = DpoLoss.Of("mine", (scores, _) => scores.Rejected - scores.Chosen),
            margin = DpoLoss.OfMargin(MarginLoss.Of("mine", (h, _) => h.neg()));
        foreach (var loss in new[] { own, margin, DpoLoss.Weighted((1, MarginLoss.Hinge), (1, margin)) })
        {
            Assert.False(PairwiseKernels.Supports(loss));
            Assert.Throws<NotSupportedException>(() => PairwiseKernels.Dpo(pairs, null, new DpoObjective { Loss = loss }));
        }
        var options = new DpoObjective { Divergence = FDivergence.Of("mine", ratios => ratios * 2) };
        Assert.Contains(
            "the divergence mine has no kernel",
            Assert.Throws<NotSupportedException>(() => PairwiseKernels.Dpo(pairs, null, options)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void BradleyTerry_IsTheOracle(ScalarType type, bool strided)
    {
        for (int seed = 0; seed < 2 * KernelFuzz.Lengths.Length; seed++)
        {
            using var scope = NewDisposeScope();
            long pairs = KernelFuzz.Lengths[seed / 2];
            Tensor Make(int offset) => KernelFuzz.Make(10 * seed + offset, type, strided, 2, 0, pairs);
            var (chosen, rejected, margins) = (Make(1), Make(2), seed % 2 == 0 ? null : Make(3));
            var options = new BradleyTerryObjective
            {
                CenteringCoefficient = seed % 3 == 0 ? 0.01 : 0,
                LabelSmoothing = seed % 2 == 0 ? 0 : 0.1,
            };
            double? denominator = seed % 5 == 1 ? 9 : null;
            using var oracle = Fused.Reference();
            var expected = RewardModelLosses.BradleyTerry(chosen, rejected, margins, options, denominator);
            var gradients = KernelFuzz.Gradients(
                x => RewardModelLosses.BradleyTerry(x[0], x[1], margins, options, denominator).Loss,
                chosen,
                rejected
            );
            var actual = PairwiseKernels.BradleyTerry(chosen, rejected, margins, options, denominator);
            double tolerance = KernelFuzz.Tolerance(type);
            TensorAssert.Close(expected.PairLosses, actual.PairLosses, tolerance, "pair losses");
            KernelFuzz.Near(expected.Loss.ToDouble(), actual.Loss, tolerance, "loss");
            TensorAssert.Close(gradients[0], actual.ChosenGradient, tolerance, "gradient of chosen");
            TensorAssert.Close(gradients[1], actual.RejectedGradient, tolerance, "gradient of rejected");
            KernelFuzz.Near(expected.Accuracy.ToDouble(), actual.Accuracy, 1e-6, "accuracy");
            KernelFuzz.Near(expected.Margin.ToDouble(), actual.ChosenReward - actual.RejectedReward, tolerance, "margin");
        }
    }

    [Fact]
    public void BadInput_IsRefusedAsByTheOracle()
    {
        using var scope = NewDisposeScope();
        var (two, three) = (zeros(2), zeros(3));
        void Same(
            PairLogProbs policy,
            PairLogProbs? reference = null,
            DpoObjective? options = null,
            Tensor? weights = null,
            double? denominator = null
        ) =>
            KernelFuzz.SameRefusal(
                () => PreferenceLosses.Dpo(policy, reference, options, weights, denominator),
                () => PairwiseKernels.Dpo(policy, reference, options, weights, denominator)
            );
        Same(new PairLogProbs(two, three));
        Same(new PairLogProbs(zeros(2, 2), zeros(2, 2)));
        Same(new PairLogProbs(two.to_type(ScalarType.Int64), two));
        Same(new PairLogProbs(two, two.to_type(ScalarType.Int64)));
        Same(new PairLogProbs(two, two, three));
        Same(new PairLogProbs(two, two, two, three));
        Same(new PairLogProbs(two, two), new PairLogProbs(three, three));
        Same(new PairLogProbs(two, two), null, new DpoObjective { Loss = DpoLoss.Ipo() });
        Same(new PairLogProbs(two, two, two), null, new DpoObjective { Loss = DpoLoss.Ipo() });
        Same(new PairLogProbs(two, two), null, new DpoObjective { Loss = DpoLoss.Rpo() });
        Same(new PairLogProbs(two, two), null, new DpoObjective { Beta = 0 });
        Same(new PairLogProbs(two, two), null, null, three);
        Same(new PairLogProbs(two, two), null, null, null, 0);
        KernelFuzz.SameRefusal(() => RewardModelLosses.BradleyTerry(two, three), () => PairwiseKernels.BradleyTerry(two, three));
        KernelFuzz.SameRefusal(() => RewardModelLosses.BradleyTerry(two, two, three), () => PairwiseKernels.BradleyTerry(two, two, three));
        KernelFuzz.SameRefusal(
            () => RewardModelLosses.BradleyTerry(two, two, null, null, -1),
            () => PairwiseKernels.BradleyTerry(two, two, null, null, -1)
        );
    }

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        foreach (bool strided in new[] { false, true })
        {
            var (chosen, rejected) = (
                KernelFuzz.Make(1, ScalarType.Float32, strided, 1, 0, 5),
                KernelFuzz.Make(2, ScalarType.Float64, strided, 1, 0, 5)
            );
            Ownership.Check(() => Tensors(PairwiseKernels.Dpo(new PairLogProbs(chosen, rejected), null)), chosen, rejected);
            Ownership.Check(() => Tensors(PairwiseKernels.BradleyTerry(chosen, rejected)), chosen, rejected);
        }

        static Tensor[] Tensors(PairLossWithGradient loss) => [loss.PairLosses, loss.ChosenGradient, loss.RejectedGradient];
    }
}
