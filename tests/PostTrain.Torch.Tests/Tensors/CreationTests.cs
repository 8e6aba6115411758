using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class CreationTests
{
    public static TheoryData<string, Func<Tensor>, ScalarType, long[], double[]> Made => new()
    {
        { "tensor(1)", () => tensor(1), ScalarType.Int32, [], [1] },
        { "tensor(1L)", () => tensor(1L), ScalarType.Int64, [], [1] },
        { "tensor(1f)", () => tensor(1f), ScalarType.Float32, [], [1] },
        { "tensor(1.0)", () => tensor(1.0), ScalarType.Float64, [], [1] },
        { "tensor(true)", () => tensor(true), ScalarType.Bool, [], [1] },
        { "tensor(1.5, float32)", () => tensor(1.5, float32), ScalarType.Float32, [], [1.5] },
        { "float[]", () => tensor(new float[] { 1, 2 }), ScalarType.Float32, [2], [1, 2] },
        { "long[] as float", () => tensor(new long[] { 1, 2 }, float32), ScalarType.Float32, [2], [1, 2] },
        { "int[,]", () => tensor(new[,] { { 1, 2 }, { 3, 4 } }), ScalarType.Int32, [2, 2], [1, 2, 3, 4] },
        { "double[,,]", () => tensor(new double[,,] { { { 1 }, { 2 } } }), ScalarType.Float64, [1, 2, 1], [1, 2] },
        { "bool[]", () => tensor(new[] { true, false }), ScalarType.Bool, [2], [1, 0] },
        { "byte[]", () => tensor(new byte[] { 255 }), ScalarType.Byte, [1], [255] },
        { "Half[]", () => tensor(new[] { (Half)0.5 }), ScalarType.Float16, [1], [0.5] },
        { "with dimensions", () => tensor(new float[] { 1, 2, 3, 4 }, [2, 2]), ScalarType.Float32, [2, 2], [1, 2, 3, 4] },
        { "list", () => tensor(new List<long> { 5, 6 }), ScalarType.Int64, [2], [5, 6] },
        { "list rows, columns", () => tensor(new List<float> { 5, 6 }, 2, 1), ScalarType.Float32, [2, 1], [5, 6] },
        { "empty array", () => tensor(Array.Empty<float>()), ScalarType.Float32, [0], [] },
        { "from_array", () => from_array(new short[,] { { 1 }, { 2 } }), ScalarType.Int16, [2, 1], [1, 2] },
        { "implicit array", () => new long[] { 1, 2 }, ScalarType.Int64, [2], [1, 2] },
        { "zeros", () => zeros(2, 1), ScalarType.Float32, [2, 1], [0, 0] },
        { "zeros list", () => zeros([1, 2], int64), ScalarType.Int64, [1, 2], [0, 0] },
        { "ones", () => ones(2, bfloat16), ScalarType.BFloat16, [2], [1, 1] },
        { "full real", () => full(2, 1.5, float32), ScalarType.Float32, [2], [1.5, 1.5] },
        { "full like", () => full_like(zeros(1, float64), 3), ScalarType.Float64, [1], [3] },
        { "zeros_like", () => zeros_like(ones(1, int32)), ScalarType.Int32, [1], [0] },
        { "new_ones", () => ones(1, float64).new_ones(2), ScalarType.Float64, [2], [1, 1] },
        { "arange", () => arange(3), ScalarType.Int64, [3], [0, 1, 2] },
        { "arange real", () => arange(0, 1, 0.5), ScalarType.Float32, [2], [0, 0.5] },
        { "arange typed", () => arange(1, 3, dtype: float64), ScalarType.Float64, [2], [1, 2] },
        { "linspace", () => linspace(0, 1, 3), ScalarType.Float32, [3], [0, 0.5, 1] },
        { "logspace", () => logspace(0, 2, 3), ScalarType.Float32, [3], [1, 10, 100] },
        { "eye", () => eye(2), ScalarType.Float32, [2, 2], [1, 0, 0, 1] },
        { "tril_indices", () => tril_indices(2, 2), ScalarType.Int64, [2, 3], [0, 1, 1, 0, 0, 1] },
    };

    [Theory]
    [MemberData(nameof(Made))]
    public void Factory_MakesTypeShapeAndValues(string what, Func<Tensor> make, ScalarType type, long[] shape, double[] values)
    {
        using var made = make();
        Assert.True(type == made.dtype, $"{what}: {made.dtype}");
        Assert.Equal(shape, made.shape);
        Assert.Equal(values, made.to(float64).data<double>().ToArray());
    }

    [Fact]
    public void RequiresGrad_IsSetOnTheResult()
    {
        Assert.True(ones(2, requires_grad: true).requires_grad);
        Assert.True(tensor(new float[] { 1 }, requires_grad: true).requires_grad);
        Assert.True(tensor(new double[] { 1 }, float32, requires_grad: true) is { requires_grad: true, is_leaf: true });
        Assert.True(rand(2, requires_grad: true).requires_grad);
        Assert.False(ones(2).requires_grad);
    }

    [Fact]
    public void Array_IsCopied()
    {
        float[] array = [1, 2];
        using var copy = tensor(array);
        array[0] = 9;
        Assert.Equal([1f, 2], copy.data<float>().ToArray());
    }

    [Fact]
    public void WrongDimensions_AreRefusedWithBothSizes()
    {
        var error = Assert.Throws<ArgumentException>(() => tensor(new float[] { 1, 2, 3 }, [2, 2]));
        Assert.Contains("[2, 2] = 4", error.Message, StringComparison.Ordinal);
        Assert.Contains("has: 3", error.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => zeros([2], names: ["a"]));
    }

    [Fact]
    public void Generator_AloneDecidesTheNumbers()
    {
        using var first = new Generator(7);
        using var second = new Generator(7);
        Assert.True(rand(5, generator: first).Equals(rand(5, generator: second)));
        Assert.True(randn(5, generator: first).Equals(randn(5, generator: second)));
        Assert.True(randint(0, 100, [5], generator: first).Equals(randint(0, 100, [5], generator: second)));
        Assert.True(randperm(9, generator: first).Equals(randperm(9, generator: second)));
        Assert.True(empty(4).uniform_(0, 1, first).Equals(empty(4).uniform_(0, 1, second)));
        var weights = tensor(new float[] { 0.2f, 0.8f });
        Assert.True(weights.multinomial(9, true, first).Equals(weights.multinomial(9, true, second)));
        Assert.Equal(rand_float(first), rand_float(second));
    }

    [Fact]
    public void RandomNumbers_LieWhereTheyShould()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var whole = randint(2, 5, [200], generator: generator);
        Assert.Equal(ScalarType.Int64, whole.dtype);
        Assert.Equal([2L, 3, 4], whole.unique().output.data<long>().ToArray());
        Assert.Equal(Enumerable.Range(0, 20).Select(i => (long)i), randperm(20, generator: generator).sort().Values.data<long>());
        // 10,000 draws: the mean of N(0,1) lies within five standard errors, 0.05.
        Assert.InRange(randn(10000, generator: generator).mean().item<float>(), -0.05f, 0.05f);
        var never = tensor(new float[] { 0, 1, 0 }).multinomial(50, true, generator);
        Assert.True((never == 1).all().ToBoolean());
        Assert.Equal(0f, zeros(4).bernoulli(generator).sum().item<float>());
    }
}
