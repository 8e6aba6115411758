using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class ArithmeticTests
{
    private static Tensor X => tensor(new double[] { -2, 0.5, 3 });

    public static TheoryData<string, Func<Tensor, Tensor>, double[]> Values => new()
    {
        { "x + 1", x => x + 1, [-1, 1.5, 4] },
        { "1 + x", x => 1 + x, [-1, 1.5, 4] },
        { "1.5f - x", x => 1.5f - x, [3.5, 1, -1.5] },
        { "x - 1L", x => x - 1L, [-3, -0.5, 2] },
        { "2.0 * x", x => 2.0 * x, [-4, 1, 6] },
        { "x / 2", x => x / 2, [-1, 0.25, 1.5] },
        { "1 / x", x => 1 / x, [-0.5, 2, 1.0 / 3] },
        { "scalar / x", x => (Scalar)6 / x, [-3, 12, 2] },
        { "x % 2", x => x % 2, [0, 0.5, 1] },
        { "remainder", x => x.remainder(1.5), [1, 0.5, 0] },
        { "fmod", x => x.fmod(1.5), [-0.5, 0.5, 0] },
        { "-x", x => -x, [2, -0.5, -3] },
        { "floor division", x => x.div(2, RoundingMode.floor), [-1, 0, 1] },
        { "truncated division", x => (x - 1).div(2, RoundingMode.trunc), [-1, 0, 1] },
        { "add alpha", x => x.add(x, 2), [-6, 1.5, 9] },
        { "pow", x => x.pow(2), [4, 0.25, 9] },
        { "pow tensor", x => x.pow(tensor(new double[] { 3, 2, 1 })), [-8, 0.25, 3] },
        { "abs", x => x.abs(), [2, 0.5, 3] },
        { "sign", x => x.sign(), [-1, 1, 1] },
        { "square", x => x.square(), [4, 0.25, 9] },
        { "exp", x => x.exp(), [0.1353352832366127, 1.6487212707001282, 20.085536923187668] },
        { "expm1", x => x.expm1(), [-0.8646647167633873, 0.6487212707001282, 19.085536923187668] },
        { "log of abs", x => x.abs().log(), [0.6931471805599453, -0.6931471805599453, 1.0986122886681098] },
        { "log1p of abs", x => x.abs().log1p(), [1.0986122886681098, 0.4054651081081644, 1.3862943611198906] },
        { "sqrt of square", x => x.square().sqrt(), [2, 0.5, 3] },
        { "rsqrt of 4x^2", x => (4 * x.square()).rsqrt(), [0.25, 1, 1.0 / 6] },
        { "reciprocal", x => x.reciprocal(), [-0.5, 2, 1.0 / 3] },
        { "sigmoid", x => x.sigmoid(), [0.11920292202211755, 0.6224593312018546, 0.9525741268224334] },
        { "tanh", x => x.tanh(), [-0.9640275800758169, 0.46211715726000973, 0.9950547536867305] },
        { "clamp", x => x.clamp(-1, 1), [-1, 0.5, 1] },
        { "clamp above", x => x.clamp(max: 1), [-2, 0.5, 1] },
        { "clamp_min", x => x.clamp_min(0), [0, 0.5, 3] },
        { "clip", x => x.clip(0, 1), [0, 0.5, 1] },
        { "floor", x => x.floor(), [-2, 0, 3] },
        { "ceil", x => x.ceil(), [-2, 1, 3] },
        { "round to even", x => x.round(), [-2, 0, 3] },
        { "round to tenths", x => (x + 0.26).round(1), [-1.7, 0.8, 3.3] },
        { "erf", x => x.erf(), [-0.9953222650189527, 0.5204998778130465, 0.9999779095030014] },
        { "lerp", x => x.lerp(zeros_like(x), tensor(0.25)), [-1.5, 0.375, 2.25] },
        { "addcmul", x => x.addcmul(x, x, 2), [6, 1, 21] },
        { "addcdiv", x => x.addcdiv(x, x, 2), [0, 2.5, 5] },
        { "logaddexp of itself", x => x.logaddexp(x), [-2 + 0.6931471805599453, 0.5 + 0.6931471805599453, 3 + 0.6931471805599453] },
        { "atan2", x => x.atan2(zeros_like(x)), [-Math.PI / 2, Math.PI / 2, Math.PI / 2] },
        { "nan_to_num", x => (x / 0).nan_to_num(posinf: 7, neginf: -7), [-7, 7, 7] },
        { "relu", x => x.relu(), [0, 0.5, 3] },
        { "silu", x => x.silu(), [-0.2384058440442351, 0.3112296656009273, 2.8577223804673] },
        { "gelu", x => x.gelu(), [-0.04550026389635842, 0.34573123063700656, 2.99595030590511] },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Value_IsAsWorkedByHand(string what, Func<Tensor, Tensor> function, double[] expected)
    {
        using var scope = NewDisposeScope();
        var actual = function(X).data<double>().ToArray();
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(actual[i] - expected[i]) < 1e-12, $"{what}[{i}]: {actual[i]:R}, expected {expected[i]:R}");
    }

    [Fact]
    public void InPlace_ReturnsTheSameObjectAndChangesItsMemory()
    {
        using var x = X;
        Assert.Same(x, x.add_(1).mul_(2).sub_(1).div_(2));
        Assert.Equal([-1.5, 1, 3.5], x.data<double>().ToArray());
        Assert.Same(x, x.abs_());
        Assert.Same(x, x.clamp_(max: 2));
        Assert.Equal([1.5, 1, 2], x.data<double>().ToArray());
        Assert.Same(x, x.zero_());
        Assert.Same(x, x.fill_(4));
        Assert.Equal([4.0, 4, 4], x.data<double>().ToArray());
    }

    [Fact]
    public void OperatorWithNumber_KeepsTheTensorsType()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(ScalarType.Float32, (ones(2) + 1.0).dtype);
        Assert.Equal(ScalarType.BFloat16, (ones(2, ScalarType.BFloat16) * 0.5).dtype);
        Assert.Equal(ScalarType.Int64, (arange(2) + 1).dtype);
        Assert.Equal(ScalarType.Float32, (arange(2) + 1.5).dtype);
        Assert.Equal(ScalarType.Float32, (arange(2) / 2).dtype);
    }

    [Fact]
    public void Bits_AreCombined()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { true, true, false });
        var b = tensor(new[] { true, false, false });
        Assert.Equal([true, false, false], (a & b).data<bool>().ToArray());
        Assert.Equal([true, true, false], (a | b).data<bool>().ToArray());
        Assert.Equal([false, true, false], (a ^ b).data<bool>().ToArray());
        Assert.Equal([false, false, true], (~a).data<bool>().ToArray());
        Assert.Equal(12L, tensor(3L).bitwise_left_shift(tensor(2L)).item<long>());
    }

    [Fact]
    public void MatrixSums_UseBetaAndAlpha()
    {
        using var scope = NewDisposeScope();
        var m = tensor(new float[,] { { 1, 2 }, { 3, 4 } });
        // 0.5 * 1 + 2 * (m m), m m = [[7, 10], [15, 22]].
        Assert.Equal([14.5f, 20.5f, 30.5f, 44.5f], ones(2, 2).addmm(m, m, 0.5f, 2).data<float>().ToArray());
        Assert.Equal([8f, 11, 16, 23], ones(1, 2, 2).baddbmm(m[TensorIndex.None], m[TensorIndex.None]).data<float>().ToArray());
        Assert.Equal([4f, 8], ones(2).addmv(m, ones(2)).data<float>().ToArray());
    }
}
