using PostTrain.Compression;
using PostTrain.Compression.Quantization;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>What the quantisers promise of any weight: bounds, idempotence, expected errors on the normal distribution,
/// ownership.</summary>
public sealed class QuantizationLawsTests
{
    private const int Blocks = 1 << 15;

    public static TheoryData<string> Idempotent => ["nf4", "nf4 of short rows", "fp4", "int8", "int4", "int3", "int2"];

    // The mean squared error of a block of 64 numbers of N(0, 1): 0.00843 and 0.01158, each with the spread of this many blocks.
    [Fact]
    public void Nf4AndInt4_OnTheNormalDistribution_HaveTheKnownErrors()
    {
        using var scope = NewDisposeScope();
        var values = Normal(1, Blocks, 64);
        using var nf4 = BlockQuantization.Nf4(values);
        using var int4 = IntegerQuantization.Quantize(values, new IntegerOptions { Range = IntegerRange.Absmax });
        Assert.Equal(0.00843, Error(nf4), 0.00007);
        Assert.Equal(0.01158, Error(int4), 0.00007);

        double Error(QuantizedTensor quantized) => (quantized.Dequantize() - values).to_type(ScalarType.Float64).square().mean().ToDouble();
    }

    // Half of NF4's widest gap, between −1 and −0.69619, is 0.15190.
    [Fact]
    public void Nf4_IsWithinHalfTheWidestGap()
    {
        using var scope = NewDisposeScope();
        var values = (rand([1000, 64]) * 2 - 1) * rand([1000, 1]) * 100;
        using var quantized = BlockQuantization.Nf4(values);
        var absmax = values.abs().amax([1L], true);
        double worst = ((quantized.Dequantize() - values).abs() / absmax).max().ToDouble();
        Assert.InRange(worst, 0.14, 0.15191);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(8)]
    public void Absmax_IsWithinHalfAStep(int bits)
    {
        using var scope = NewDisposeScope();
        var values = Normal(2, 50, 70);
        using var quantized = IntegerQuantization.Quantize(
            values,
            new IntegerOptions
            {
                Bits = bits,
                GroupSize = 16,
                Range = IntegerRange.Absmax,
            }
        );
        var steps = quantized.Scales.repeat_interleave(16, 1).narrow(1, 0, 70);
        Assert.InRange(((quantized.Dequantize() - values).abs() / steps).max().ToDouble(), 0.4, 0.5 + 1e-5);
        using var rows = Int8Quantization.Rows(values);
        Assert.InRange(((rows.Dequantize() - values).abs() / (rows.Absmax / 127).unsqueeze(1)).max().ToDouble(), 0.4, 0.5 + 1e-4);
    }

    [Theory]
    [MemberData(nameof(Idempotent))]
    public void QuantizingTheDequantized_ChangesNothing(string method)
    {
        using var scope = NewDisposeScope();
        var values = Normal(3, 24, method == "nf4 of short rows" ? 37 : 64);
        var quantizer = method switch
        {
            "nf4" or "nf4 of short rows" => Quantizer.Nf4(doubleQuantization: false),
            "fp4" => Quantizer.Fp4(doubleQuantization: false),
            "int8" => Quantizer.Int8Rows(),
            _ => Quantizer.Integers(new IntegerOptions { Bits = method[3] - '0', Range = IntegerRange.Absmax }),
        };
        using var once = quantizer.Quantize(values, null);
        using var twice = quantizer.Quantize(once.Dequantize(), null);
        TensorAssert.Same(once.Dequantize(), twice.Dequantize(), method);
        TensorAssert.Same(once.Parts[0].Tensor, twice.Parts[0].Tensor, "codes");
        Assert.True((once.Dequantize() - values).abs().max().ToDouble() > 0);
    }

    // Every path gives the same numbers: rows in any pieces, into memory that is there, in another type.
    [Theory]
    [InlineData(64, true)]
    [InlineData(64, false)]
    [InlineData(7, false)]
    [InlineData(5, true)]
    public void Rows_AreThoseOfTheWhole(int blockSize, bool doubled)
    {
        using var scope = NewDisposeScope();
        var values = Normal(4, 13, 37);
        QuantizedTensor[] all =
        [
            BlockQuantization.Quantize(values, CodeTable.Nf4, blockSize, doubled),
            BlockQuantization.Quantize(values, CodeTable.Dynamic, blockSize, doubled),
            IntegerQuantization.Quantize(values, new IntegerOptions { Bits = 4, GroupSize = blockSize }),
            IntegerQuantization.Quantize(values, new IntegerOptions { Bits = 2, GroupSize = blockSize }),
            IntegerQuantization.Quantize(values, new IntegerOptions { Bits = 5, GroupSize = blockSize }),
            Int8Quantization.Rows(values),
            new ColumnScaledQuantized(Int8Quantization.Rows(values), (rand(37) + 1).DetachFromDisposeScope()),
        ];
        foreach (var quantized in all)
        {
            using (quantized)
            {
                var whole = quantized.Dequantize();
                for (var first = 0; first < 13; first += 4)
                {
                    var count = Math.Min(4, 13 - first);
                    var expected = whole.narrow(0, first, count);
                    TensorAssert.Same(expected, quantized.DequantizeRows(first, count), "rows");
                    var memory = full([count, 37], 7f);
                    quantized.DequantizeRows(first, memory);
                    TensorAssert.Same(expected, memory, "rows into float32");
                    var half = full([count, 37], 7f, dtype: ScalarType.BFloat16);
                    quantized.DequantizeRows(first, half);
                    TensorAssert.Close(expected, half, 2e-2, "rows into bfloat16");
                }
                Assert.Throws<ArgumentOutOfRangeException>(() => quantized.DequantizeRows(10, 4));
            }
        }
    }

    [Fact]
    public void Functions_LeaveTheirResultsAlone()
    {
        using var scope = NewDisposeScope();
        var values = Normal(5, 6, 20).DetachFromDisposeScope();
        var gram = Gram(Normal(6, 40, 20)).DetachFromDisposeScope();
        using var statistics = new LayerStatistics(20, samples: 8);
        statistics.Add(Normal(6, 40, 20));
        Ownership.Check(() => Parts(BlockQuantization.Nf4(values, true)), values);
        Ownership.Check(() => Parts(Int8Quantization.Rows(values)), values);
        Ownership.Check(() => Parts(IntegerQuantization.Quantize(values)), values);
        Ownership.Check(() => Parts(Gptq.Quantize(values, gram, new GptqOptions { ActivationOrder = true }).Weight), values, gram);
        Ownership.Check(() => Parts(Awq.Quantize(values, statistics)), values);
        Ownership.Check(() => [FakeQuantization.Tokens(values)], values);
        Ownership.Check(() => [FakeQuantization.Weight(values, Quantizer.Nf4())], values);
        using var nf4 = BlockQuantization.Nf4(values, true);
        Ownership.Check(() => [nf4.Dequantize()], values);

        // Parts belong to no scope: here each goes over into the scope that the check opens.
        static Tensor[] Parts(QuantizedTensor quantized) => [.. quantized.Parts.Select(part => Adopted(part.Tensor))];

        static Tensor Adopted(Tensor part)
        {
            var own = part.alias();
            part.Dispose();
            return own;
        }
    }

    [Fact]
    public void WhatIsNoWeight_IsRefused()
    {
        using var scope = NewDisposeScope();
        var values = Normal(7, 4, 8);
        Assert.Throws<ArgumentException>(() => BlockQuantization.Nf4(zeros(0, 4)));
        Assert.Throws<ArgumentException>(() => BlockQuantization.Nf4(arange(8)));
        Assert.Contains("NaN", Assert.Throws<ArgumentException>(() => BlockQuantization.Nf4(full([2, 2], double.NaN))).Message);
        Assert.Throws<ArgumentException>(() => Int8Quantization.Rows(values[0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => IntegerQuantization.Quantize(values, new IntegerOptions { Bits = 9 }));
        Assert.Throws<ArgumentException>(() => Gptq.Quantize(values, eye(7)));
        Assert.Contains("damping", Assert.Throws<ArgumentException>(() => Gptq.Quantize(values, eye(8).neg())).Message);
        Assert.Throws<ArgumentException>(() => CodeTable.Of("one", 1f));
        Assert.Throws<ArgumentNullException>(() => Quantizer.Gptq().Quantize(values, null));
    }

    internal static Tensor Normal(ulong seed, params long[] shape)
    {
        var data = new float[shape.Aggregate(1L, (product, size) => product * size)];
        CounterRandom.FillNormal(data, seed, 0, 1);
        return NativeTensor.Of(data, shape, ScalarType.Float32);
    }

    internal static Tensor Gram(Tensor rows) => rows.t().mm(rows);
}
