using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

public sealed class TensorFactsTests
{
    public static TheoryData<ScalarType> Types =>
        [
            ScalarType.Bool,
            ScalarType.Byte,
            ScalarType.Int64,
            ScalarType.Float16,
            ScalarType.BFloat16,
            ScalarType.Float32,
            ScalarType.Float64,
        ];

    [Theory]
    [MemberData(nameof(Types))]
    public void Facts_AreThoseOfTheTensor(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var whole = zeros(3, 4, 5, dtype: type);
        foreach (
            var tensor in new[]
            {
                whole,
                whole.transpose(0, 2),
                whole[1],
                whole[.., 1],
                whole.narrow(2, 1, 0),
                zeros(0, dtype: type),
                tensor(1).to_type(type),
                whole.expand(2, 3, 4, 5),
                whole.to(META),
            }
        )
        {
            Assert.Equal(tensor.dtype, TensorFacts.Type(tensor));
            Assert.Equal(tensor.is_contiguous(), TensorFacts.IsContiguous(tensor));
            Assert.Equal(tensor.device_type == DeviceType.CPU, TensorFacts.IsOnCpu(tensor));
            Assert.Equal(tensor.dim(), TensorFacts.Rank(tensor));
            Assert.Equal(tensor.numel(), TensorFacts.Count(tensor));
            for (int i = 0; i < tensor.dim(); i++)
                Assert.Equal(tensor.shape[i], TensorFacts.Size(tensor, i));
        }
        Assert.Equal(TensorFacts.Address(whole) + 20 * whole.element_size(), TensorFacts.Address(whole[1]));
    }

    [Fact]
    public void DisposedTensor_IsRefused()
    {
        var tensor = zeros(2);
        tensor.Dispose();
        Assert.Throws<InvalidOperationException>(() => TensorFacts.Count(tensor));
    }
}
