using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class ConversionTests
{
    [Fact]
    public void To_ConvertsAndSharesWhatNeedNotChange()
    {
        using var x = tensor(new float[] { 1.7f, -1.7f });
        Assert.Equal([1L, -1], x.@long().data<long>().ToArray());
        Assert.Equal([true, true], x.@bool().data<bool>().ToArray());
        using var same = x.to(ScalarType.Float32);
        same.fill_(3);
        Assert.Equal([3f, 3], x.data<float>().ToArray());
        using var copy = x.to(ScalarType.Float32, copy: true);
        copy.fill_(4);
        Assert.Equal([3f, 3], x.data<float>().ToArray());
        Assert.Equal(ScalarType.Float64, x.type_as(zeros(1, float64)).dtype);
        Assert.Equal(ScalarType.BFloat16, x.bfloat16().dtype);
        Assert.Equal(DeviceType.META, x.to(META).device_type);
    }

    [Fact]
    public void To_WithDisposeAfter_DisposesTheSource()
    {
        var source = ones(2);
        using var converted = source.to(float64, disposeAfter: true);
        Assert.True(source.IsInvalid);
        Assert.Equal([1.0, 1], converted.data<double>().ToArray());
    }

    [Fact]
    public void Item_DemandsTypeAndOneElement()
    {
        Assert.Equal(2.5f, tensor(2.5f).item<float>());
        Assert.Equal(7L, tensor(new long[,] { { 7 } }).item<long>());
        var type = Assert.Throws<InvalidOperationException>(() => tensor(2.5f).item<double>());
        Assert.Contains("Double", type.Message, StringComparison.Ordinal);
        Assert.Contains("Float32", type.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => ones(2).item<float>());
        Assert.Throws<InvalidOperationException>(() => ones(2).data<double>());
        Assert.Throws<ArgumentException>(() => ones(2).data<char>());
    }

    [Fact]
    public void ToDouble_ConvertsFromAnyType()
    {
        Assert.Equal(2.5, tensor(2.5f).ToDouble());
        Assert.Equal(3.0, tensor(3).ToDouble());
        Assert.Equal(1.0, tensor(true).ToDouble());
        Assert.Equal(0.5, tensor(0.5f).bfloat16().ToDouble());
        Assert.Equal(2, tensor(2.9).ToInt32());
        Assert.True(tensor(0.1).ToBoolean());
        Assert.Equal(4f, (float)tensor(4L));
        Assert.Equal(5L, (long)tensor(5));
        Assert.Throws<ArgumentException>(() => ones(2).ToDouble());
        Assert.Equal(ScalarType.Float64, tensor(2f).ToScalar().Type);
        Assert.Equal(ScalarType.Int64, tensor(2).ToScalar().Type);
        Assert.Equal(ScalarType.Bool, tensor(true).ToScalar().Type);
    }

    [Fact]
    public void Data_OfATransposedTensor_IsInRowOrderAndWritesThrough()
    {
        using var x = arange(6).view(2, 3);
        using var y = x.t();
        var data = y.data<long>();
        Assert.Equal([0L, 3, 1, 4, 2, 5], data.ToArray());
        Assert.Equal(data.ToArray(), data.ToList());
        Assert.Equal(4, data[1, 1]);
        Assert.Equal(3, data[1]);
        Assert.Equal(new long[,] { { 0, 3 }, { 1, 4 }, { 2, 5 } }, data.ToNDArray());
        data[2, 0] = 20;
        data.CopyFrom([10, 11], tensorIndex: 1);
        Assert.Equal([0L, 11, 20, 10, 4, 5], x.data<long>().ToArray());
        var part = new long[4];
        data.CopyTo(part, 1, 3);
        Assert.Equal([0L, 4, 20, 5], part);
        Assert.Throws<IndexOutOfRangeException>(() => data[3, 0]);
        Assert.Throws<IndexOutOfRangeException>(() => data[6]);
    }

    [Fact]
    public void Data_AfterDispose_Throws()
    {
        var x = ones(2);
        var data = x.data<float>();
        x.Dispose();
        Assert.Throws<InvalidOperationException>(() => data[0]);
        Assert.Throws<InvalidOperationException>(() => data.ToArray());
    }

    [Fact]
    public void Data_OfAnotherDevice_IsRefused()
    {
        using var nowhere = zeros([2], device: META);
        Assert.Contains("meta", Assert.Throws<InvalidOperationException>(() => nowhere.data<float>()).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => nowhere.bytes.Length);
    }

    [Fact]
    public void Bytes_AreTheMemory()
    {
        using var x = tensor(new short[] { 1, 256 });
        Assert.Equal([1, 0, 0, 1], x.bytes.ToArray());
        x.bytes = new byte[] { 2, 0, 3, 0 };
        Assert.Equal([(short)2, (short)3], x.data<short>().ToArray());
        Assert.Throws<ArgumentException>(() => x.bytes = new byte[3]);
        Assert.Throws<InvalidOperationException>(() => zeros(2, 3).t().bytes.Length);
        using var stream = new MemoryStream();
        x.WriteBytesToStream(stream);
        stream.Position = 0;
        using var y = zeros(2, int16);
        y.ReadBytesFromStream(stream);
        Assert.True(x.Equals(y));
    }

    [Fact]
    public void CopyAndClone_TakeValues()
    {
        using var x = zeros(2, 2);
        using var kept = x.clone();
        x.copy_(tensor(new double[] { 1, 2 }));
        Assert.Equal([1f, 2, 1, 2], x.data<float>().ToArray());
        Assert.Equal([0f, 0, 0, 0], kept.data<float>().ToArray());
    }

    [Theory]
    [InlineData(ScalarType.Int64, ScalarType.Float32, ScalarType.Float32)]
    [InlineData(ScalarType.Int32, ScalarType.Int64, ScalarType.Int64)]
    [InlineData(ScalarType.Bool, ScalarType.Byte, ScalarType.Byte)]
    [InlineData(ScalarType.Byte, ScalarType.Int8, ScalarType.Int16)]
    [InlineData(ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float32)]
    [InlineData(ScalarType.Float32, ScalarType.Float64, ScalarType.Float64)]
    public void Promotion_FollowsPyTorch(ScalarType first, ScalarType second, ScalarType expected)
    {
        Assert.Equal(expected, promote_types(first, second));
        Assert.Equal(expected, (zeros(1, first) + zeros(1, second)).dtype);
        Assert.Equal(expected, result_type(zeros(1, first), zeros(1, second)));
        // A tensor without dimensions does not raise the type within its kind.
        Assert.Equal(ScalarType.Float32, (zeros(1) + tensor(1.0)).dtype);
    }

    [Fact]
    public void Limits_AreThoseOfTheFormats()
    {
        Assert.Equal(MathF.BitIncrement(1f) - 1f, (float)finfo(float32).eps);
        Assert.Equal(float.MaxValue, finfo(float32).max);
        Assert.Equal(double.MinValue, finfo(float64).min);
        Assert.Equal(65504, finfo(float16).max);
        Assert.Equal(3.3895313892515355e38, finfo(bfloat16).max);
        Assert.Equal(0.0078125, finfo(bfloat16).eps);
        Assert.Equal(1.1754943508222875e-38, finfo().tiny);
        Assert.Throws<ArgumentException>(() => finfo(int64));
    }
}
