using PostTrain.Compression;
using PostTrain.Compression.Quantization;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>GPTQ, AWQ, SmoothQuant, LoftQ and straight-through gradients by what theory says of them.</summary>
public sealed class QuantizationMethodsTests
{
    private static readonly IntegerOptions[] Ranges =
    [
        new() { Range = IntegerRange.Symmetric, GroupSize = 0 },
        new() { Range = IntegerRange.Asymmetric, GroupSize = 8 },
        new() { Range = IntegerRange.Absmax, GroupSize = 16 },
    ];

    // No column can make up for another's error.
    [Fact]
    public void Gptq_WithADiagonalHessian_IsRounding()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 12, 32);
        var hessian = (rand(32) + 0.1).diag();
        foreach (var range in Ranges)
        foreach (bool ordered in (bool[])[false, true])
        {
            var options = new GptqOptions
            {
                Integers = range,
                ActivationOrder = ordered,
                StaticGroups = true,
                BlockSize = 10,
            };
            using var gptq = Gptq.Quantize(weight, hessian, options).Weight;
            using var rounded = IntegerQuantization.Quantize(weight, range);
            TensorAssert.Close(rounded.Dequantize(), gptq.Dequantize(), 1e-6, $"{range.Range}");
        }
    }

    [Fact]
    public void Gptq_WithCorrelatedInputs_BeatsRoundingForEverySeed()
    {
        var better = 0;
        for (ulong seed = 0; seed < 100; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = QuantizationLawsTests.Normal(seed, 16, 32);
            // Few common causes and some noise.
            var inputs =
                QuantizationLawsTests.Normal(seed + 1000, 256, 6).mm(QuantizationLawsTests.Normal(seed + 2000, 6, 32))
                + QuantizationLawsTests.Normal(seed + 3000, 256, 32) * 0.3;
            var hessian = QuantizationLawsTests.Gram(inputs) * 2;
            using var gptq = Gptq.Quantize(weight, hessian, new GptqOptions { Integers = Ranges[1] }).Weight;
            using var rounded = IntegerQuantization.Quantize(weight, Ranges[1]);
            if (Error(gptq) < Error(rounded))
                better++;

            double Error(QuantizedTensor quantized) => (quantized.Dequantize() - weight).mm(inputs.t()).square().sum().ToDouble();
        }
        Assert.Equal(100, better);
    }

    [Fact]
    public void Awq_IsNeverWorseThanNoScales()
    {
        var gained = 0;
        for (ulong seed = 0; seed < 40; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = QuantizationLawsTests.Normal(seed, 24, 32);
            // Some inputs are much larger than others.
            var inputs = QuantizationLawsTests.Normal(seed + 100, 64, 32) * QuantizationLawsTests.Normal(seed + 200, 1, 32).mul(1.5).exp();
            using var statistics = new LayerStatistics(32, samples: 64);
            statistics.Add(inputs);
            var options = new AwqOptions
            {
                Integers = new()
                {
                    Bits = 3,
                    GroupSize = 16,
                    Range = IntegerRange.MinMax,
                },
            };
            using var awq = Awq.Quantize(weight, statistics, options);
            using var plain = IntegerQuantization.Quantize(weight, options.Integers);
            double found = Error(awq),
                rounded = Error(plain);
            Assert.True(found <= rounded * (1 + 1e-4), $"seed {seed}: {found} with scales, {rounded} without");
            gained += found < 0.8 * rounded ? 1 : 0;

            double Error(QuantizedTensor quantized) => statistics.OutputError(quantized.Dequantize() - weight);
        }
        Assert.True(gained > 20, $"scales helped by a fifth in {gained} of 40 cases only");
    }

    // With a strength of ½ both sides of the product get the same largest magnitudes (SmoothQuant, section 4).
    [Fact]
    public void SmoothQuant_KeepsTheProductAndEvensItOut()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 24, 16);
        var inputs = QuantizationLawsTests.Normal(2, 50, 16);
        inputs.narrow(1, 3, 1).mul_(80);
        var scales = SmoothQuant.Scales(inputs.abs().amax([0L]), [weight]);
        var (x, w) = (inputs / scales, weight * scales);
        TensorAssert.Close(inputs.mm(weight.t()), x.mm(w.t()), 1e-4, "product");
        TensorAssert.Close(x.abs().amax([0L]), w.abs().amax([0L]), 1e-5, "largest magnitudes");
        using var plain = Int8Quantization.Rows(weight);
        using var smooth = Int8Quantization.Rows(w);
        double before = Difference(Int8Quantization.Linear(inputs, plain)),
            after = Difference(Int8Quantization.Linear(x, smooth));
        Assert.True(after < before / 4, $"the product's error is {before} without, {after} with");

        double Difference(Tensor y) => (y - inputs.mm(weight.t())).square().mean().ToDouble();
    }

    [Fact]
    public void Loftq_IsNeverWorseThanQuantizingAlone_AndTurnsHelp()
    {
        for (ulong seed = 0; seed < 10; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = QuantizationLawsTests.Normal(seed, 48, 64);
            var quantizer = Quantizer.Nf4(false);
            using var alone = quantizer.Quantize(weight, null);
            double plain = (weight - alone.Dequantize()).norm().ToDouble();
            var errors = new List<double>();
            foreach (var iterations in (int[])[1, 5])
            {
                var start = Loftq.Start(weight, 8, quantizer, iterations);
                using (start.Weight)
                    Assert.Equal((weight - start.Weight.Dequantize() - start.B.mm(start.A)).norm().ToDouble(), start.Error, 1e-3);
                errors.Add(start.Error);
            }
            Assert.True(errors[0] < plain, $"seed {seed}: {errors[0]} with factors, {plain} without");
            Assert.True(errors[1] < errors[0], $"seed {seed}: {errors[1]} after five turns, {errors[0]} after one");
        }
    }

    // Identity inside the codes' range, 0 outside.
    [Fact]
    public void StraightThroughGradient_IsTheIdentityInTheRange()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { -3.0, -1.01, -0.99, -0.3, 0.2, 0.77, 1.74, 1.76, 5.0 });
        var (scale, zero) = (tensor(0.25), tensor(4.0));
        // Codes 0 to 15 less 4, in quarters: from −1 to 2.75.
        var leaf = x.clone().requires_grad_(true);
        var y = FakeQuantization.Apply(leaf, scale, zero, bits: 4);
        TensorAssert.Close([-1, -1, -1, -0.25, 0.25, 0.75, 1.75, 1.75, 2.75], y, 1e-12, "values");
        var upstream = tensor(new[] { 1.0, 2, 3, 4, 5, 6, 7, 8, 9 });
        (y * upstream).sum().backward();
        TensorAssert.Close([0, 0, 3, 4, 5, 6, 7, 8, 0], leaf.grad!, 0, "gradient");

        var weight = QuantizationLawsTests.Normal(1, 6, 64).requires_grad_(true);
        var factors = QuantizationLawsTests.Normal(2, 6, 64);
        var rounded = FakeQuantization.Weight(weight, Quantizer.Nf4(false));
        using var quantized = BlockQuantization.Nf4(weight);
        TensorAssert.Close(quantized.Dequantize(), rounded, 1e-6, "rounded weight");
        (rounded * factors).sum().backward();
        TensorAssert.Same(factors, weight.grad!, "gradient of the weight");
    }

    [Fact]
    public void OwnTableAndOwnFunction_AreQuantizers()
    {
        using var scope = NewDisposeScope();
        var weight = QuantizationLawsTests.Normal(1, 5, 12);
        var ternary = CodeTable.Of("ternary", -1, 0, 1);
        using var quantized = Quantizer.Table(ternary, blockSize: 12).Quantize(weight, null);
        var absmax = weight.abs().amax([1L], true);
        var expected = where(weight.abs().gt(absmax / 2), weight.sign() * absmax, zeros_like(weight));
        TensorAssert.Close(expected, quantized.Dequantize(), 1e-6, "ternary");
        Assert.Throws<InvalidOperationException>(() =>
            Quantizer.Of("wrong", given => Int8Quantization.Rows(given.t())).Checked(weight, null)
        );
    }
}
