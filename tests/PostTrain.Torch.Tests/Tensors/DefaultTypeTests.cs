using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

[Collection("Sequential")]
public class DefaultTypeTests
{
    [Fact]
    public void DefaultType_IsThatOfNewRealTensors()
    {
        Assert.Equal(ScalarType.Float32, get_default_dtype());
        set_default_dtype(float64);
        try
        {
            Assert.Equal(ScalarType.Float64, zeros(1).dtype);
            Assert.Equal(ScalarType.Float64, (arange(2) / 2).dtype);
            Assert.Equal(64, finfo().bits);
        }
        finally
        {
            set_default_dtype(float32);
        }
        Assert.Throws<ArgumentException>(() => set_default_dtype(int64));
    }

    [Fact]
    public void DefaultDevice_IsThatOfNewTensors()
    {
        Assert.Equal(DeviceType.CPU, get_default_device().type);
        set_default_device(META);
        try
        {
            Assert.True(zeros(1).is_meta);
        }
        finally
        {
            set_default_device("cpu");
        }
        Assert.True(zeros(1).is_cpu());
    }
}
