using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

public sealed class AdvantagesTests
{
    public static TheoryData<GroupScaling> Scalings => new(GroupScaling.Group, GroupScaling.Batch, GroupScaling.None);

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void GroupRelative_GivesTheHandWorkedNumbers(ScalarType type)
    {
        using var scope = NewDisposeScope();
        // Groups (1, 3) and (0, 8): means 2 and 4, sample deviations √2 and √32; over all four: mean 3, squares 4 + 0 + 9 + 25 = 38.
        var rewards = tensor(new double[] { 1, 3, 0, 8 }).to_type(type);
        TensorAssert.Close([-1, 1, -4, 4], Advantages.GroupRelative(rewards, 2, GroupScaling.None), 0);
        TensorAssert.Close(
            [-0.7071067811865475, 0.7071067811865475, -0.7071067811865475, 0.7071067811865475],
            Advantages.GroupRelative(rewards, 2, epsilon: 0),
            1e-7
        );
        TensorAssert.Close(
            [-0.28097574347450816, 0.28097574347450816, -1.1239029738980326, 1.1239029738980326],
            Advantages.GroupRelative(rewards, 2, GroupScaling.Batch, epsilon: 0),
            1e-7
        );
        // ε is added to the deviation, not to the variance: 1/(√2 + 1).
        TensorAssert.Close(
            [-0.41421356237309503, 0.41421356237309503],
            Advantages.GroupRelative(rewards.narrow(0, 0, 2), 2, epsilon: 1),
            1e-7
        );
        Assert.Equal(type, Advantages.GroupRelative(rewards, 4).dtype);
    }

    [Fact]
    public void Epsilon_Is1e4ByDefault()
    {
        using var scope = NewDisposeScope();
        // 1/(√2 + 1e-4)
        TensorAssert.Close([-0.7070567847218314, 0.7070567847218314], Advantages.GroupRelative(tensor(new double[] { 1, 3 }), 2), 1e-14);
    }

    /// <summary>Equal rewards say nothing, also where their mean cannot be represented and ε does not hide the rounding.</summary>
    [Theory]
    [MemberData(nameof(Scalings))]
    public void GroupsOfOneAndEqualRewards_GiveExactlyZero(GroupScaling scaling)
    {
        using var scope = NewDisposeScope();
        foreach (double epsilon in new[] { 0, 1e-4 })
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            foreach (double reward in new[] { 0, 0.1, 0.7, 1.0 / 3, -1e-3, 1e6 + 0.1 })
            foreach (int size in new[] { 3, 5, 6, 7, 10, 64 })
                TensorAssert.Zero(
                    Advantages.GroupRelative(full([2 * size], reward, dtype: type), size, scaling, epsilon),
                    $"advantages of {size} times {reward}"
                );
            TensorAssert.Zero(Advantages.GroupRelative(tensor(new[] { 0.3, -2, 9 }).to_type(type), 1, scaling, epsilon));
            TensorAssert.Zero(Advantages.GroupRelative(tensor(new[] { 0.3 }).to_type(type), 1, scaling, epsilon));
            TensorAssert.Zero(Advantages.GroupRelative(tensor(Array.Empty<double>()).to_type(type), 1, scaling, epsilon));
        }
        // Beside a group that does say something.
        var mixed = Advantages.GroupRelative(tensor(new[] { 0.1, 0.1, 0.1, 1, 2, 6 }), 3, scaling, 0);
        TensorAssert.Zero(mixed.narrow(0, 0, 3));
        Assert.All(Numbers.Values(mixed.narrow(0, 3, 3)), value => Assert.NotEqual(0, value));
    }

    [Fact]
    public void GroupRelative_HasItsLaws()
    {
        using var scope = NewDisposeScope();
        var rewards = Numbers.Uniform(1, 3, 20);
        foreach (var scaling in new[] { GroupScaling.Group, GroupScaling.Batch, GroupScaling.None })
        {
            var advantages = Advantages.GroupRelative(rewards, 5, scaling);
            TensorAssert.Close(zeros(4, dtype: ScalarType.Float64), advantages.view(4, 5).sum(1), 1e-14, "sum of a group");
            // A constant added to the rewards of a group changes nothing.
            var shift = tensor(new double[] { 7, -3, 0, 2 }).repeat_interleave(5);
            if (scaling != GroupScaling.Batch)
                TensorAssert.Close(advantages, Advantages.GroupRelative(rewards + shift, 5, scaling), 1e-13);
            // The order inside a group does not matter.
            var order = tensor(new long[] { 4, 2, 0, 1, 3 });
            var permuted = Advantages.GroupRelative(rewards.view(4, 5).index_select(1, order).reshape(-1), 5, scaling);
            TensorAssert.Close(advantages.view(4, 5).index_select(1, order).reshape(-1), permuted, 1e-14);
        }
        // Without ε the scale of the rewards does not matter, and the deviation of a group is 1.
        var free = Advantages.GroupRelative(rewards, 5, epsilon: 0);
        TensorAssert.Close(free, Advantages.GroupRelative(rewards * 1000, 5, epsilon: 0), 1e-13);
        TensorAssert.Close(ones(4, dtype: ScalarType.Float64), free.view(4, 5).std(1), 1e-13);
        // One group's rewards do not reach another's.
        TensorAssert.Close(free.narrow(0, 0, 5), Advantages.GroupRelative(rewards.narrow(0, 0, 5), 5, epsilon: 0), 1e-15);
    }

    [Fact]
    public void NaN_StaysInItsGroup()
    {
        using var scope = NewDisposeScope();
        var advantages = Numbers.Values(Advantages.GroupRelative(tensor(new[] { 1, double.NaN, 2, 4 }), 2));
        Assert.Equal([true, true, false, false], advantages.Select(double.IsNaN));
    }

    [Theory]
    [MemberData(nameof(Scalings))]
    public void OnlyTheResultStaysAlive_WithoutAGradient(GroupScaling scaling)
    {
        using var rewards = Numbers.Uniform(2, 1, 6).requires_grad_(true);
        Ownership.Check(() => [Advantages.GroupRelative(rewards, 3, scaling)], rewards);
        using var advantages = Advantages.GroupRelative(rewards, 3, scaling);
        Assert.False(advantages.requires_grad);
        using var scope = NewDisposeScope();
        // A column of a table is not contiguous.
        var table = Numbers.Uniform(3, 1, 6, 2);
        TensorAssert.Same(
            Advantages.GroupRelative(table[TensorIndex.Colon, 1].clone(), 3, scaling),
            Advantages.GroupRelative(table[TensorIndex.Colon, 1], 3, scaling)
        );
        var before = table.clone();
        Advantages.GroupRelative(table[TensorIndex.Colon, 1], 3, scaling).fill_(9);
        TensorAssert.Same(before, table);
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var groups = Assert.Throws<ArgumentException>(() => Advantages.GroupRelative(zeros(5), 2));
        Assert.Contains("rewards holds 5 values, expected a multiple of groupSize, 2", groups.Message, StringComparison.Ordinal);
        Assert.Contains(
            "[2, 2], expected [N]",
            Assert.Throws<ArgumentException>(() => Advantages.GroupRelative(zeros(2, 2), 2)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "rewards",
            Assert.Throws<ArgumentException>(() => Advantages.GroupRelative(zeros(2, dtype: ScalarType.Int64), 2)).ParamName
        );
        Assert.Equal("groupSize", Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.GroupRelative(zeros(2), 0)).ParamName);
        Assert.Equal(
            "epsilon",
            Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.GroupRelative(zeros(2), 2, epsilon: -1)).ParamName
        );
        Assert.Equal(
            "scaling",
            Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.GroupRelative(zeros(2), 2, (GroupScaling)9)).ParamName
        );
    }
}
