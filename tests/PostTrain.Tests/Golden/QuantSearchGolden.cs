using PostTrain.Compression.Quantization;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>quant.json: the methods that look at a layer's inputs, GPTQ and AWQ.</summary>
internal static class QuantSearchGolden
{
    private const double Values = 3e-5;

    internal static void Gptq(GoldenCase item)
    {
        var weight = item.Input("weight");
        using var statistics = PruneGolden.Statistics(item, weight.size(1));
        var hessian = statistics.Hessian();
        TensorAssert.Close(item.Expected("hessian"), hessian, Values, "hessian");
        var result = PostTrain.Compression.Quantization.Gptq.Quantize(
            weight,
            hessian,
            new GptqOptions
            {
                Integers = QuantGolden.Integers(item) with { SearchRange = item.Flag("mse") },
                ActivationOrder = item.Flag("act_order"),
                StaticGroups = item.Flag("static_groups"),
                Damping = item.Parameter("percdamp", 0.01),
                BlockSize = (int)item.Parameter("block_size", 128),
            }
        );
        TensorAssert.Close(item.Expected("quantized"), result.Weight.Dequantize(), Values, "quantized");
        TensorAssert.Close(item.Expected("scales"), result.Weight.Scales, Values, "scales");
        TensorAssert.Same(item.Expected("zeros"), result.Weight.Zeros.to_type(ScalarType.Float32), "zeros");
        TensorAssert.Close([item.ExpectedNumber("loss")], tensor(result.Loss), 1e-4, "loss");
        if (item.HasExpected("order"))
            Assert.Equal(item.Expected("order").data<long>().Select(place => (int)place), result.Order);
        else
            Assert.Equal(Enumerable.Range(0, (int)weight.size(1)), result.Order);
    }

    private static IntegerOptions Integers(GoldenCase item) =>
        new()
        {
            Bits = (int)item.Parameter("bits", 4),
            GroupSize = Math.Max(0, (int)item.Parameter("group_size", -1)),
            Range = IntegerRange.MinMax,
        };

    internal static void AwqQuantize(GoldenCase item)
    {
        item.Only("zero_point", true);
        using var result = IntegerQuantization.Quantize(item.Input("tensor"), Integers(item));
        QuantGolden.Compare(item, result, 1e-9);
    }

    internal static void AwqScale(GoldenCase item)
    {
        var x = item.Input("x");
        var rows = x.reshape(-1, x.size(-1));
        var mean = rows.abs().mean([0L]);
        TensorAssert.Close(item.Expected("mean_abs"), mean, 1e-9, "mean_abs");
        var (weights, block) = item.Text("block") switch
        {
            "linear" => (
                (Tensor[])[item.Input("weight")],
                (Func<IReadOnlyList<Tensor>, Tensor>)(given => nn.functional.linear(x, given[0]))
            ),
            "mlp" => (
                [item.Input("gate"), item.Input("up")],
                given =>
                    nn.functional.linear(
                        nn.functional.silu(nn.functional.linear(x, given[0])) * nn.functional.linear(x, given[1]),
                        item.Input("down")
                    )
            ),
            var other => throw new NotSupportedException($"the block {other} is not known"),
        };
        var options = new AwqOptions { Integers = Integers(item), Grid = (int)item.Parameter("grid", 20) };
        var before = block(weights);
        var found = Awq.Search(weights, mean, given => (block(given) - before).square().mean().ToDouble(), options);
        Assert.Equal(item.ExpectedNumber("ratio"), found.Exponent, 12);
        TensorAssert.Close(item.Expected("scales"), found.Scales, 1e-9, "scales");
        TensorAssert.Close(item.ExpectedNumbers("losses"), tensor(found.Losses.ToArray()), Values, "losses");
        if (weights.Length > 1)
            return;
        // The same through the sums that calibration keeps.
        using var statistics = new PostTrain.Compression.LayerStatistics(x.size(-1), ScalarType.Float64);
        statistics.Add(x);
        var calibrated = Awq.Search(weights[0], statistics, options);
        Assert.Equal(found.Exponent, calibrated.Exponent);
        TensorAssert.Close(item.ExpectedNumbers("losses"), tensor(calibrated.Losses.ToArray()), Values, "losses by the Gram matrix");
    }

    internal static void AwqClip(GoldenCase item)
    {
        var found = Awq.Clip(
            item.Input("weight"),
            item.Input("x"),
            new AwqOptions { Integers = Integers(item) },
            (int)item.Parameter("n_grid", 20),
            item.Parameter("max_shrink", 0.5),
            (int)item.Parameter("n_sample_token", 512)
        );
        TensorAssert.Close(item.Expected("max"), found, 1e-9, "max");
    }
}
