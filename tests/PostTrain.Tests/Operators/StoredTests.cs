using System.Runtime.Intrinsics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

public sealed unsafe class StoredTests
{
    [Theory]
    // Neighbours of 1 are 1/128 apart: halfway the even one is taken, beyond it the nearer one.
    [InlineData(1f, 1f)]
    [InlineData(1f + 1f / 256, 1f)]
    [InlineData(1f + 1f / 256 + 1f / (1 << 20), 1f + 1f / 128)]
    [InlineData(1f + 3f / 256, 1f + 1f / 64)]
    [InlineData(-1f - 3f / 256, -1f - 1f / 64)]
    [InlineData(1f + 3f / 256 - 1f / (1 << 20), 1f + 1f / 128)]
    [InlineData(0f, 0f)]
    [InlineData(float.MaxValue, float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, float.NegativeInfinity)]
    [InlineData(float.Epsilon, 0f)]
    public void Store_RoundsToTheNearest(float value, float expected)
    {
        BFloat16 stored;
        Stored.Set(&stored, value);
        Assert.Equal(expected, Stored.Get<float, BFloat16>(&stored));
        Assert.Equal(expected, (float)Half(value));
    }

    [Theory]
    [InlineData(0x7F800001u)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0xFFFFFFFFu)]
    [InlineData(0xFF800001u)]
    public void Nan_StaysNan(uint bits)
    {
        BFloat16 stored;
        Stored.Set(&stored, BitConverter.UInt32BitsToSingle(bits));
        Assert.True(float.IsNaN(Stored.Get<float, BFloat16>(&stored)));
    }

    [Fact]
    public void BFloat16_HasTwoBytes() => Assert.Equal(2, sizeof(BFloat16));

    [Fact]
    public void EveryNumber_IsWidenedExactly_AndComesBack()
    {
        ushort* from = stackalloc ushort[8],
            to = stackalloc ushort[8];
        for (int bits = 0; bits <= ushort.MaxValue; bits += 8)
        {
            for (int lane = 0; lane < 8; lane++)
                from[lane] = (ushort)(bits + lane);
            var wide = Stored.Load<float, BFloat16>((BFloat16*)from);
            Stored.Store((BFloat16*)to, wide);
            for (int lane = 0; lane < 8; lane++)
            {
                Assert.Equal((uint)(bits + lane) << 16, wide.AsUInt32()[lane]);
                if (float.IsNaN(wide[lane]))
                    Assert.True(float.IsNaN(Stored.Get<float, BFloat16>((BFloat16*)to + lane)));
                else
                    Assert.Equal(from[lane], to[lane]);
            }
        }
    }

    [Fact]
    public void Rounding_IsLibtorchs()
    {
        using var scope = NewDisposeScope();
        var random = new Random(3);
        var values = new float[40_000];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32) & (i % 3 == 0 ? 0xFFFF8000u : 0xFFFFFFFFu));
            if (float.IsNaN(values[i]))
                values[i] = i;
        }
        var expected = tensor(values).to_type(ScalarType.BFloat16).bytes.ToArray();
        var rounded = new byte[2 * values.Length];
        fixed (float* from = values)
        fixed (byte* to = rounded)
        {
            for (int i = 0; i < values.Length; i += Vector256<float>.Count)
                Stored.Store((BFloat16*)to + i, Vector256.Load(from + i));
        }
        Assert.Equal(expected, rounded);
    }

    [Fact]
    public void Parts_AreReadAndWrittenAlone()
    {
        ushort* memory = stackalloc ushort[10],
            target = stackalloc ushort[10];
        for (int count = 1; count <= 9; count++)
        {
            for (int i = 0; i < 10; i++)
                (memory[i], target[i]) = ((ushort)(0x3F80 + i), 0x1234);
            var values = Stored.Load<float, BFloat16>((BFloat16*)memory, count);
            for (int lane = 0; lane < 8; lane++)
                Assert.Equal(lane < count ? (uint)memory[lane] << 16 : 0, values.AsUInt32()[lane]);
            Stored.Store((BFloat16*)target, values, count);
            for (int i = 0; i < 10; i++)
                Assert.Equal(i < Math.Min(count, 8) ? memory[i] : 0x1234, target[i]);
        }
        var half = Stored.LoadHalf<float, BFloat16>((BFloat16*)memory);
        Stored.StoreHalf((BFloat16*)target + 5, half + Vector128.Create(1f));
        for (int i = 0; i < 4; i++)
            Assert.Equal(
                Stored.Get<float, BFloat16>((BFloat16*)memory + i) + 1,
                Stored.Get<float, BFloat16>((BFloat16*)target + 5 + i),
                0.01f
            );
        Assert.Equal(0x1234, target[9]);
    }

    [Fact]
    public void OtherTypes_AreThemselves()
    {
        double* numbers = stackalloc double[] { 1, 2, 3, 4, 5 };
        Assert.Equal(Vector256.Create(1.0, 2, 3, 0), Stored.Load<double, double>(numbers, 3));
        Stored.Store(numbers, Vector256.Create(9.0), 2);
        Stored.Set(numbers + 3, 7.0);
        Assert.Equal((9, 9, 3, 7, 5), (numbers[0], numbers[1], numbers[2], Stored.Get<double, double>(numbers + 3), numbers[4]));
    }

    private static double Half(float value)
    {
        using var scope = NewDisposeScope();
        return tensor(value).to_type(ScalarType.BFloat16).ToDouble();
    }
}
