using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class ComparisonTests
{
    private static readonly Tensor A = tensor(new float[] { 1, 2, 3 });
    private static readonly Tensor B = tensor(new float[] { 2, 2, 2 });

    public static TheoryData<string, Func<Tensor>, bool[]> Values => new()
    {
        { "==", () => A == B, [false, true, false] },
        { "!=", () => A != B, [true, false, true] },
        { "<", () => A < B, [true, false, false] },
        { "<=", () => A <= B, [true, true, false] },
        { ">", () => A > B, [false, false, true] },
        { ">=", () => A >= B, [false, true, true] },
        { "== number", () => A == 2, [false, true, false] },
        { "number <", () => (Scalar)2 < A, [false, false, true] },
        { "number >=", () => (Scalar)2 >= A, [true, true, false] },
        { "eq", () => A.eq(2), [false, true, false] },
        { "equal", () => A.equal(B), [false, true, false] },
        { "less_equal", () => A.less_equal(B), [true, true, false] },
        { "isnan", () => (A / 0 - tensor(new[] { float.PositiveInfinity, 0, 0 })).isnan(), [true, false, false] },
        { "isinf", () => (A / tensor(new float[] { 1, 0, 1 })).isinf(), [false, true, false] },
        { "isfinite", () => (A / tensor(new float[] { 1, 0, 1 })).isfinite(), [true, false, true] },
        { "isclose", () => A.isclose(A + 1e-9f), [true, true, true] },
        { "isin", () => A.isin(tensor(new float[] { 1, 3 })), [true, false, true] },
        { "logical_and", () => (A > 1).logical_and(A < 3), [false, true, false] },
        { "logical_or", () => (A < 2).logical_or(A > 2), [true, false, true] },
        { "logical_not", () => (A < 2).logical_not(), [false, true, true] },
        { "logical_xor", () => (A < 3).logical_xor(A > 1), [true, false, true] },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Comparison_IsTrueWhereItHolds(string what, Func<Tensor> compare, bool[] expected)
    {
        using var result = compare();
        Assert.Equal(ScalarType.Bool, result.dtype);
        Assert.True(expected.SequenceEqual(result.data<bool>()), $"{what}: {result.npstr()}");
    }

    [Fact]
    public void Extremes_TakeTheLargerOrSmaller()
    {
        Assert.Equal([2f, 2, 3], A.maximum(B).data<float>().ToArray());
        Assert.Equal([1f, 2, 2], A.minimum(B).data<float>().ToArray());
        Assert.True(float.IsNaN(tensor(float.NaN).maximum(tensor(1f)).item<float>()));
        Assert.Equal(1f, tensor(float.NaN).fmax(tensor(1f)).item<float>());
    }

    [Fact]
    public void WholeTensors_AreCompared()
    {
        Assert.True(A.allclose(A + 1e-9f));
        Assert.False(A.allclose(B));
        Assert.True(A.Equals(A.clone()));
        Assert.False(A.Equals(B));
        Assert.True((A > 0).all().ToBoolean());
        Assert.False((A > 5).any().ToBoolean());
    }

    [Fact]
    public void Where_TakesFromXWhereTrue()
    {
        Assert.Equal([1f, 0, 0], where(A < 2, A, zeros(1)).data<float>().ToArray());
        Assert.Equal([1f, 9, 9], A.where(A < 2, tensor(9f)).data<float>().ToArray());
    }
}
