using PostTrain.Kernels;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

[Collection("Sequential")]
public sealed class AdvantageKernelsTests
{
    public static TheoryData<ScalarType, bool> Layouts => KernelFuzz.Layouts;

    [Fact]
    public void Generalized_OfTwoStepsAroundAHole_IsWorkedByHand()
    {
        using var scope = NewDisposeScope();
        // δ₂ = 2 + ½·4 − 1 = 3; δ₁ = 1 + ½·1 − 3 = −1.5, A₁ = −1.5 + ½·½·3 = −0.75.
        var estimate = AdvantageKernels.Gae(
            tensor(
                new double[,]
                {
                    { 1, double.NaN, 2 },
                }
            ),
            tensor(
                new double[,]
                {
                    { 3, 9, 1 },
                }
            ),
            tensor(
                new double[,]
                {
                    { 1, 0, 1 },
                }
            ),
            0.5,
            0.5,
            tensor(new double[] { 4 })
        );
        TensorAssert.Close([-0.75, 0, 3], estimate.Advantages, 0);
        TensorAssert.Close([2.25, 0, 4], estimate.Returns, 0);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Temporal_AreTheOraclesNumbers(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (var (rows, columns) in KernelFuzz.Shapes)
        {
            for (int round = 0; round < 4; round++, seed += 10)
            {
                using var scope = NewDisposeScope();
                Tensor Make(int offset, double scale = 1) => KernelFuzz.Make(seed + offset, type, strided, scale, 0, rows, columns);
                var (rewards, values, mask) = (Make(1), Make(2), KernelFuzz.Holes(seed / 10, type, strided, rows, columns));
                var bootstrap = round % 2 == 0 ? null : KernelFuzz.Make(seed + 3, type, strided, 1, 0, rows);
                var (gamma, lambda) = round switch
                {
                    0 => (1.0, 0.95),
                    1 => (0.9, 1),
                    2 => (0.99, 0),
                    _ => (0, 0.5),
                };
                void Close(AdvantageEstimate expected, AdvantageEstimate actual)
                {
                    TensorAssert.Close(expected.Advantages, actual.Advantages, KernelFuzz.Tolerance(type), "advantages");
                    TensorAssert.Close(expected.Returns, actual.Returns, KernelFuzz.Tolerance(type), "returns");
                    Assert.Equal(type, actual.Advantages.dtype);
                }
                Close(
                    Advantages.Gae(rewards, values, mask, gamma, lambda, bootstrap),
                    AdvantageKernels.Gae(rewards, values, mask, gamma, lambda, bootstrap)
                );
                TensorAssert.Close(
                    Advantages.Returns(rewards, mask, gamma, bootstrap),
                    AdvantageKernels.Returns(rewards, mask, gamma, bootstrap),
                    KernelFuzz.Tolerance(type)
                );
                var options = new VTraceOptions
                {
                    Gamma = gamma,
                    Lambda = lambda,
                    RhoBar = 1.1,
                    CBar = 0.9,
                };
                var (current, old) = (Make(4, 0.3), Make(5, 0.3));
                Close(
                    Advantages.VTrace(current, old, rewards, values, mask, options, bootstrap),
                    AdvantageKernels.VTrace(current, old, rewards, values, mask, options, bootstrap)
                );
            }
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void GroupRelative_IsTheOraclesNumbers(ScalarType type, bool strided)
    {
        int seed = 0;
        foreach (int size in new[] { 1, 2, 3, 4, 7, 16 })
        {
            foreach (long groups in new long[] { 0, 1, 3, 9 })
            {
                foreach (var scaling in Enum.GetValues<GroupScaling>())
                {
                    using var scope = NewDisposeScope();
                    seed++;
                    var rewards = KernelFuzz.Make(seed, type, strided, 2, 0, groups * size);
                    // A group of equal rewards, whose mean is off by a rounding.
                    if (groups > 1)
                        rewards.narrow(0, 0, size).fill_(0.1);
                    var scored = seed % 2 == 0 ? null : KernelFuzz.Holes(seed, type, strided, groups * size);
                    if (scored is not null && groups == 0)
                        scored = null;
                    if (groups > 0)
                        TensorAssert.Close(
                            Advantages.GroupRelative(rewards, size, scaling, 1e-4, scored),
                            AdvantageKernels.GroupRelative(rewards, size, scaling, 1e-4, scored),
                            KernelFuzz.Tolerance(type)
                        );
                    else
                        Assert.Equal(0, AdvantageKernels.GroupRelative(rewards, size, scaling, 1e-4, scored).numel());
                }
            }
        }
    }

    [Fact]
    public void GroupRelative_OfEqualRewards_IsExactlyZero_AndANanStaysInItsGroup()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Zero(AdvantageKernels.GroupRelative(full(6, 0.1), 3, GroupScaling.Group, 0));
        var values = Numbers.Values(AdvantageKernels.GroupRelative(tensor(new[] { 1, double.NaN, 3, 1, 2, 3.0 }), 3));
        Assert.All(values[..3], value => Assert.True(double.IsNaN(value)));
        Assert.All(values[3..], value => Assert.True(double.IsFinite(value)));
    }

    [Fact]
    public void GroupRelative_GivesTheGoldenValues()
    {
        int count = 0;
        foreach (
            var item in GoldenFile
                .Load("advantages")!
                .Cases.Select(item => item.Open())
                .Where(item => item.Kind == "grpo_advantages" && item.Text("multi_objective_aggregation") != "normalize_then_sum")
        )
        {
            using var scope = NewDisposeScope();
            var rewards = item.Input("rewards_per_func");
            var total = (rewards.masked_fill(rewards.isnan(), 0) * tensor(item.Numbers("reward_weights")).to_type(rewards.dtype)).sum(1L);
            var scaling = item.Text("scale_rewards") switch
            {
                "group" => GroupScaling.Group,
                "batch" => GroupScaling.Batch,
                _ => GroupScaling.None,
            };
            var advantages = AdvantageKernels.GroupRelative(
                total,
                (int)item.Parameter("num_generations", 0),
                scaling,
                scored: rewards.isnan().all(1).logical_not()
            );
            TensorAssert.Close(item.Expected("advantages"), advantages, total.dtype == ScalarType.Float64 ? 1e-7 : 3e-5, item.Id);
            count++;
        }
        Assert.True(count > 0);
    }

    [Fact]
    public void Threads_ChangeNoBit() =>
        KernelFuzz.SameBits(() =>
        {
            var (rewards, values, mask) = (
                Numbers.Uniform(1, 1, 64, 2048).to_type(ScalarType.Float32),
                Numbers.Uniform(2, 1, 64, 2048).to_type(ScalarType.Float32),
                KernelFuzz.Holes(4, ScalarType.Float32, false, 64, 2048)
            );
            var estimate = AdvantageKernels.Gae(rewards, values, mask);
            return
            [
                estimate.Advantages,
                estimate.Returns,
                AdvantageKernels.Returns(rewards, mask),
                AdvantageKernels.GroupRelative(rewards.view(-1), 16),
            ];
        });

    [Fact]
    public void Ownership_IsTheCallers()
    {
        using var scope = NewDisposeScope();
        foreach (bool strided in new[] { false, true })
        {
            var (rewards, values, mask) = (
                KernelFuzz.Make(1, ScalarType.Float32, strided, 1, 0, 2, 5),
                KernelFuzz.Make(2, ScalarType.Float64, strided, 1, 0, 2, 5),
                KernelFuzz.Holes(1, ScalarType.Float32, strided, 2, 5)
            );
            Ownership.Check(
                () =>
                {
                    var estimate = AdvantageKernels.Gae(rewards, values, mask);
                    return [estimate.Advantages, estimate.Returns];
                },
                rewards,
                values,
                mask
            );
            Ownership.Check(() => [AdvantageKernels.Returns(rewards, mask)], rewards, mask);
            var flat = KernelFuzz.Make(1, ScalarType.Float32, strided, 1, 0, 6);
            Ownership.Check(() => [AdvantageKernels.GroupRelative(flat, 3)], flat);
        }
    }

    [Fact]
    public void BadInput_IsRefusedAsByTheOracle()
    {
        using var scope = NewDisposeScope();
        var (two, three, flat) = (zeros(2, 3), zeros(2, 4), zeros(6));
        KernelFuzz.SameRefusal(() => Advantages.Gae(two, two, three), () => AdvantageKernels.Gae(two, two, three));
        KernelFuzz.SameRefusal(() => Advantages.Gae(two, three, two), () => AdvantageKernels.Gae(two, three, two));
        KernelFuzz.SameRefusal(() => Advantages.Gae(flat, flat, flat), () => AdvantageKernels.Gae(flat, flat, flat));
        KernelFuzz.SameRefusal(() => Advantages.Gae(two, two, two, 1.5), () => AdvantageKernels.Gae(two, two, two, 1.5));
        KernelFuzz.SameRefusal(() => Advantages.Gae(two, two, two, 1, -1), () => AdvantageKernels.Gae(two, two, two, 1, -1));
        KernelFuzz.SameRefusal(() => Advantages.Gae(two, two, two, 1, 1, flat), () => AdvantageKernels.Gae(two, two, two, 1, 1, flat));
        KernelFuzz.SameRefusal(() => Advantages.GroupRelative(flat, 4), () => AdvantageKernels.GroupRelative(flat, 4));
        KernelFuzz.SameRefusal(
            () => Advantages.GroupRelative(flat.to_type(ScalarType.Int64), 2),
            () => AdvantageKernels.GroupRelative(flat.to_type(ScalarType.Int64), 2)
        );
        KernelFuzz.SameRefusal(
            () => Advantages.GroupRelative(flat, 2, epsilon: -1),
            () => AdvantageKernels.GroupRelative(flat, 2, epsilon: -1)
        );
        KernelFuzz.SameRefusal(
            () => Advantages.GroupRelative(flat, 2, scored: zeros(5)),
            () => AdvantageKernels.GroupRelative(flat, 2, scored: zeros(5))
        );
        Assert.Throws<NotSupportedException>(() => AdvantageKernels.GroupRelative(flat.to_type(ScalarType.BFloat16), 2));
    }
}
