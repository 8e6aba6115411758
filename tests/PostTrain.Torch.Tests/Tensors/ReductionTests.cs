using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class ReductionTests
{
    // 1 2 3 over 4 5 9.
    private static Tensor X => tensor(new double[,] { { 1, 2, 3 }, { 4, 5, 9 } });

    public static TheoryData<string, Func<Tensor, Tensor>, long[], double[]> Values => new()
    {
        { "sum", x => x.sum(), [], [24] },
        { "sum 0", x => x.sum(dim: 0), [3], [5, 7, 12] },
        { "sum -1 keepdim", x => x.sum(-1, keepdim: true), [2, 1], [6, 18] },
        { "sum 0 and 1", x => x.sum(0, 1), [], [24] },
        { "sum list", x => x.sum([0L]), [3], [5, 7, 12] },
        { "mean", x => x.mean(), [], [4] },
        { "mean 1", x => x.mean([1]), [2], [2, 6] },
        { "prod", x => x.prod(), [], [1080] },
        { "prod 1", x => x.prod(1), [2], [6, 180] },
        { "max", x => x.max(), [], [9] },
        { "max 0", x => x.max(0).values, [3], [4, 5, 9] },
        { "max 0 places", x => x.max(0).indexes, [3], [1, 1, 1] },
        { "min 1", x => x.min(1).values, [2], [1, 4] },
        { "amax", x => x.amax(1), [2], [3, 9] },
        { "amin all", x => x.amin([0, 1], keepdim: true), [1, 1], [1] },
        { "argmax", x => x.argmax(), [], [5] },
        { "argmax 1", x => x.argmax(1), [2], [2, 2] },
        { "argmin 0", x => x.argmin(0), [3], [0, 0, 0] },
        { "var", x => x.var(1), [2], [1, 7] },
        { "var biased", x => x.var(1, unbiased: false), [2], [2.0 / 3, 14.0 / 3] },
        { "std", x => x.std(1), [2], [1, Math.Sqrt(7)] },
        { "std of all", x => x.std(), [], [Math.Sqrt(8)] },
        { "std_mean", x => x.std_mean(1).mean, [2], [2, 6] },
        { "norm", x => x.norm(), [], [Math.Sqrt(136)] },
        { "norm 1", x => x.norm(1, p: 1), [2], [6, 18] },
        { "logsumexp", x => (x * 0).logsumexp(1), [2], [Math.Log(3), Math.Log(3)] },
        { "cumsum", x => x.cumsum(1), [2, 3], [1, 3, 6, 4, 9, 18] },
        { "cumprod", x => x.cumprod(1), [2, 3], [1, 2, 6, 4, 20, 180] },
        { "cummax", x => (-x).cummax(1).values, [2, 3], [-1, -1, -1, -4, -4, -4] },
        { "logcumsumexp", x => (x * 0).logcumsumexp(1), [2, 3], [0, Math.Log(2), Math.Log(3), 0, Math.Log(2), Math.Log(3)] },
        { "median", x => x.median(), [], [3] },
        { "quantile", x => x.quantile(tensor(0.5), 1), [2], [2, 5] },
        { "count_nonzero", x => (x > 2).count_nonzero(), [], [4] },
        { "any", x => (x > 8).any(1), [2], [0, 1] },
        { "all", x => (x > 3).all(1), [2], [0, 1] },
        { "softmax", x => (x * 0).softmax(1), [2, 3], [1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1.0 / 3] },
        { "log_softmax", x => x[.., ..2].log_softmax(1), [2, 2], [-1.3132616875182228, -0.3132616875182228, -1.3132616875182228, -0.3132616875182228] },
        { "diff", x => x.diff(), [2, 2], [1, 1, 1, 4] },
        { "trapezoid", x => x.trapezoid(), [2], [4, 11.5] },
        { "cov", x => x.cov(), [2, 2], [1, 2.5, 2.5, 7] },
        { "nansum", x => (x / (x - 1)).where(x > 1, tensor(double.NaN)).nansum() * 0, [], [0] },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Reduction_IsAsWorkedByHand(string what, Func<Tensor, Tensor> reduce, long[] shape, double[] expected)
    {
        using var scope = NewDisposeScope();
        var result = reduce(X);
        Assert.True(shape.SequenceEqual(result.shape), $"{what}: shape [{string.Join(", ", result.shape)}]");
        var actual = result.to(ScalarType.Float64).data<double>().ToArray();
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(actual[i] - expected[i]) < 1e-12, $"{what}[{i}]: {actual[i]:R}, expected {expected[i]:R}");
    }

    [Fact]
    public void Aminmax_IsBothExtremes()
    {
        var (min, max) = X.aminmax(1);
        Assert.Equal([1.0, 4], min.data<double>().ToArray());
        Assert.Equal([3.0, 9], max.data<double>().ToArray());
        Assert.Equal(9, X.aminmax().max.ToDouble());
    }

    [Fact]
    public void Sum_OfLiteralZero_IsTheTypeOverloadAsInTorchSharp()
    {
        // C# prefers the enum to the number here: sum(0) is sum(ScalarType.Byte), a whole sum. dim: 0 or 0L says the dimension.
        Assert.Equal(ScalarType.Byte, X.sum(0).dtype);
        Assert.Equal([5.0, 7, 12], X.sum(0L).data<double>().ToArray());
    }

    [Fact]
    public void Type_IsThatOfTheResult()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(ScalarType.Int64, tensor(new[] { true, true }).sum().dtype);
        Assert.Equal(ScalarType.Int64, tensor(new[] { 1, 2 }).sum().dtype);
        Assert.Equal(ScalarType.Float64, ones(2).sum(ScalarType.Float64).dtype);
        Assert.Equal(ScalarType.Float32, ones(2, ScalarType.BFloat16).softmax(0, ScalarType.Float32).dtype);
        Assert.Equal(2.5, arange(1, 5).to(ScalarType.Int64).std_mean(0, type: ScalarType.Float64).mean.item<double>());
    }
}
