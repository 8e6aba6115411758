using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>The ways to quantise a weight, by name.</summary>
public static class Quantizer
{
    /// <summary>NF4 (QLoRA): 4.5 bits a weight in blocks of 64, 4.13 with double quantisation.</summary>
    public static IQuantizer Nf4(bool doubleQuantization = true, int blockSize = 64) => Table(CodeTable.Nf4, blockSize, doubleQuantization);

    /// <summary>FP4, as <see cref="Nf4"/>.</summary>
    public static IQuantizer Fp4(bool doubleQuantization = true, int blockSize = 64) => Table(CodeTable.Fp4, blockSize, doubleQuantization);

    /// <summary>Any table of values in blocks of the flattened weight.</summary>
    public static IQuantizer Table(CodeTable table, int blockSize = 64, bool doubleQuantization = false)
    {
        ArgumentNullException.ThrowIfNull(table);
        return Of(table.Name, weight => BlockQuantization.Quantize(weight, table, blockSize, doubleQuantization));
    }

    /// <summary>Eight bits, one scale a row.</summary>
    public static IQuantizer Int8Rows() => Of("int8", weight => Int8Quantization.Rows(weight));

    /// <summary>Whole numbers of 2 to 8 bits in groups, round to nearest.</summary>
    public static IQuantizer Integers(IntegerOptions? options = null)
    {
        options ??= new IntegerOptions();
        options.Validate();
        return Of($"int{options.Bits}", weight => IntegerQuantization.Quantize(weight, options));
    }

    /// <summary>GPTQ: round column after column, each error made up for in the columns that follow. Needs calibration.</summary>
    public static IQuantizer Gptq(GptqOptions? options = null)
    {
        options ??= new GptqOptions();
        options.Validate();
        return Of(
            "gptq",
            (weight, statistics) =>
            {
                using var hessian = statistics.Hessian();
                return Quantization.Gptq.Quantize(weight, hessian, options).Weight;
            }
        );
    }

    /// <summary>AWQ: columns whose inputs are large are scaled up before rounding. Needs calibration.</summary>
    public static IQuantizer Awq(AwqOptions? options = null)
    {
        options ??= new AwqOptions();
        options.Validate();
        return Of("awq", (weight, statistics) => Quantization.Awq.Quantize(weight, statistics, options));
    }

    /// <summary>A method of one's own that looks at the weight alone.</summary>
    /// <param name="name">How it is called in reports.</param>
    /// <param name="quantize">Weight [out,in] to a record of its shape.</param>
    public static IQuantizer Of(string name, Func<Tensor, QuantizedTensor> quantize)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(quantize);
        return new FunctionQuantizer(name, false, (weight, _) => quantize(weight));
    }

    /// <summary>A method of one's own that looks at the layer's inputs too.</summary>
    /// <inheritdoc cref="Of(string, Func{Tensor, QuantizedTensor})"/>
    public static IQuantizer Of(string name, Func<Tensor, LayerStatistics, QuantizedTensor> quantize)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(quantize);
        return new FunctionQuantizer(
            name,
            true,
            (weight, statistics) =>
                quantize(
                    weight,
                    statistics
                        ?? throw new ArgumentNullException(
                            nameof(statistics),
                            $"{name} needs the statistics of the layer's inputs: run {nameof(Calibration)} first"
                        )
                )
        );
    }

    /// <summary>Quantises and checks what a method of the user's gave.</summary>
    internal static QuantizedTensor Checked(this IQuantizer quantizer, Tensor weight, LayerStatistics? statistics)
    {
        var result =
            quantizer.Quantize(weight, statistics)
            ?? throw new InvalidOperationException($"the quantiser '{quantizer.Name}' returned nothing, expected a quantised tensor");
        if (!result.Shape.SequenceEqual(weight.shape))
        {
            var shape = string.Join(", ", result.Shape);
            result.Dispose();
            throw new InvalidOperationException(
                $"the quantiser '{quantizer.Name}' returned the shape [{shape}], expected [{string.Join(", ", weight.shape)}]"
            );
        }

        return result;
    }

    private sealed class FunctionQuantizer(string name, bool needs, Func<Tensor, LayerStatistics?, QuantizedTensor> quantize) : IQuantizer
    {
        public string Name => name;

        public bool NeedsStatistics => needs;

        public QuantizedTensor Quantize(Tensor weight, LayerStatistics? statistics) => quantize(weight, statistics);

        public override string ToString() => name;
    }
}
