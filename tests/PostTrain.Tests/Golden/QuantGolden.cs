using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Compression.Quantization;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>quant.json: bitsandbytes' tables, 4- and 8-bit formats and checkpoints, integer groups, LoftQ, and LoRA on a 4-bit
/// layer.</summary>
internal static class QuantGolden
{
    private const double Values = 3e-5;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["code_table"] = new(Table),
            ["code_table_formula"] = new(Formula),
            ["quantize_4bit"] = new(FourBits),
            ["quantize_4bit_double"] = new(FourBits),
            ["double_absmax"] = new(DoubleAbsmax),
            ["quantize_blockwise"] = new(EightBits),
            ["int8_rows"] = new(Int8Rows),
            ["int8_linear"] = new(Int8Linear),
            ["int_groups"] = new(IntegerGroups),
            ["checkpoint_4bit"] = new(Checkpoint),
            ["loftq"] = new(LoftqCase),
            ["qlora"] = new(Qlora),
            ["gptq"] = new(QuantSearchGolden.Gptq),
            ["awq_quantize"] = new(QuantSearchGolden.AwqQuantize),
            ["awq_scale"] = new(QuantSearchGolden.AwqScale),
            ["awq_clip"] = new(QuantSearchGolden.AwqClip),
        };

    internal static CodeTable TableOf(string name, bool signed = true) =>
        name switch
        {
            "nf4" => CodeTable.Nf4,
            "fp4" => CodeTable.Fp4,
            "af4" => CodeTable.Af4,
            "dynamic" => signed ? CodeTable.Dynamic : CodeTable.DynamicUnsigned,
            _ => throw new NotSupportedException($"the table {name} is not known"),
        };

    private static void Table(GoldenCase item)
    {
        var table = TableOf(item.Text("name")!, !item.HasParameter("signed") || item.Flag("signed"));
        TensorAssert.Close(item.Expected("code"), tensor(table.Values.ToArray()), 1e-7, "code");
    }

    private static void Formula(GoldenCase item)
    {
        double[] values = CodeTable.NormalFloat(item.Parameter("offset", 0));
        TensorAssert.Close(item.Expected("code"), tensor(values), 1e-9, "code");
    }

    private static void FourBits(GoldenCase item)
    {
        var table = TableOf(item.Text("quant_type")!);
        var nested = item.HasParameter("nested_blocksize");
        using var result = BlockQuantization.Quantize(
            item.Input("tensor"),
            table,
            (int)item.Parameter("blocksize", 0),
            nested,
            (int)item.Parameter("nested_blocksize", 256)
        );
        var dequantized = result.Dequantize();
        Assert.Equal(item.Expected("dequantized").dtype, dequantized.dtype);
        TensorAssert.Close(item.Expected("dequantized"), dequantized, Values, "dequantized");
        // FP4 has two codes for 0, of which either is right.
        var counts = item.Expected("dequantized").reshape(-1).ne(0);
        if (table == CodeTable.Nf4)
        {
            counts = ones_like(counts);
            TensorAssert.Same(item.Expected("packed"), result.Codes.to_type(ScalarType.Int64), "packed");
        }
        TensorAssert.Same(
            item.Expected("codes").masked_select(counts),
            result.CodeValues().reshape(-1).to_type(ScalarType.Int64).masked_select(counts),
            "codes"
        );
        if (!nested)
        {
            TensorAssert.Close(item.Expected("absmax"), result.AbsmaxValues(), 1e-6, "absmax");
            return;
        }
        var plain = BlockQuantization.Quantize(item.Input("tensor"), table, result.BlockSize);
        TensorAssert.Close(item.Expected("absmax"), plain.AbsmaxValues(), 1e-6, "absmax");
        TensorAssert.Same(item.Expected("absmax_codes"), result.NestedAbsmax!.CodeValues().to_type(ScalarType.Int64), "absmax_codes");
        TensorAssert.Close([item.ExpectedNumber("offset")], tensor(result.Offset), Values, "offset");
        TensorAssert.Close(item.Expected("absmax_of_absmax"), result.NestedAbsmax.AbsmaxValues(), Values, "absmax_of_absmax");
        TensorAssert.Close(item.Expected("absmax_dequantized"), result.AbsmaxValues(), Values, "absmax_dequantized");
    }

    private static void DoubleAbsmax(GoldenCase item)
    {
        var (nested, offset) = BlockQuantization.QuantizeAbsmax(item.Input("absmax"), (int)item.Parameter("blocksize", 0));
        TensorAssert.Close([item.ExpectedNumber("offset")], tensor(offset), Values, "offset");
        TensorAssert.Same(item.Expected("codes"), nested.CodeValues().to_type(ScalarType.Int64), "codes");
        TensorAssert.Close(item.Expected("absmax_of_absmax"), nested.AbsmaxValues(), Values, "absmax_of_absmax");
        TensorAssert.Close(item.Expected("dequantized"), nested.Dequantize() + offset, Values, "dequantized");
    }

    private static void EightBits(GoldenCase item)
    {
        using var result = BlockQuantization.Quantize(
            item.Input("tensor"),
            TableOf(item.Text("code")!),
            (int)item.Parameter("blocksize", 0)
        );
        TensorAssert.Same(item.Expected("codes"), result.CodeValues().to_type(ScalarType.Int64), "codes");
        TensorAssert.Close(item.Expected("absmax"), result.AbsmaxValues(), 1e-6, "absmax");
        TensorAssert.Close(item.Expected("dequantized"), result.Dequantize(), Values, "dequantized");
    }

    private static void Int8Rows(GoldenCase item)
    {
        using var result = Int8Quantization.Rows(item.Input("tensor"), item.Parameter("threshold", 0));
        TensorAssert.Same(item.Expected("codes"), result.Codes.to_type(ScalarType.Int64), "codes");
        TensorAssert.Close(item.Expected("absmax"), result.Absmax, 1e-6, "absmax");
        TensorAssert.Close(item.Expected("dequantized"), result.Dequantize(), Values, "dequantized");
        var columns = item.HasExpected("outlier_columns") ? item.Expected("outlier_columns") : zeros(0, dtype: ScalarType.Int64);
        Assert.Equal(columns.data<long>().ToArray(), result.OutlierColumns);
    }

    private static void Int8Linear(GoldenCase item)
    {
        var (x, threshold) = (item.Input("x"), item.Parameter("threshold", 0));
        using var weight = Int8Quantization.Rows(item.Input("weight"));
        TensorAssert.Same(item.Expected("weight_codes"), weight.Codes.to_type(ScalarType.Int64), "weight_codes");
        using var rows = Int8Quantization.Rows(x, threshold);
        TensorAssert.Same(item.Expected("x_codes"), rows.Codes.to_type(ScalarType.Int64), "x_codes");
        var y = Int8Quantization.Linear(x, weight, item.Input("bias"), threshold);
        TensorAssert.Close(item.Expected("y_exact"), y, Values, "y_exact");
        // The peer's constant is 1.8e-5 too large.
        TensorAssert.Close(item.Expected("y"), y, 2 * Values, "y");
    }

    private static void IntegerGroups(GoldenCase item)
    {
        var options = Integers(item) with { PerTensor = !item.Flag("per_row"), SearchRange = item.Flag("mse") };
        using var result = IntegerQuantization.Quantize(item.Input("tensor"), options);
        Compare(item, result, Values);
    }

    internal static IntegerOptions Integers(GoldenCase item) =>
        new()
        {
            Bits = (int)item.Parameter("bits", 4),
            GroupSize = Math.Max(0, (int)item.Parameter("group_size", -1)),
            Range = item.Flag("symmetric") ? IntegerRange.Symmetric : IntegerRange.Asymmetric,
        };

    internal static void Compare(GoldenCase item, IntegerQuantized result, double tolerance)
    {
        TensorAssert.Same(item.Expected("codes"), result.CodeValues().to_type(ScalarType.Int64), "codes");
        TensorAssert.Close(item.Expected("scale"), result.Scales, tolerance, "scale");
        TensorAssert.Same(item.Expected("zero"), result.Zeros.to_type(item.Expected("zero").dtype), "zero");
        TensorAssert.Close(item.Expected("dequantized"), result.Dequantize(), tolerance, "dequantized");
    }

    private static void Checkpoint(GoldenCase item)
    {
        const string name = "layer.weight";
        var weight = item.Input("tensor");
        using var quantized = BlockQuantization.Quantize(
            weight,
            TableOf(item.Text("quant_type")!),
            (int)item.Parameter("blocksize", 0),
            item.Flag("double")
        );
        var entries = BitsAndBytes.Entries(name, quantized).ToDictionary(entry => entry.Name, entry => entry.Tensor);
        var stateName = item.Json("expected", "json_entry").GetString()!;
        var types = item.Json("expected", "dtypes").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString());
        Assert.Equal(
            types.Keys.Select(entry => entry == "weight" ? name : $"{name}.{entry}").Order(StringComparer.Ordinal),
            entries.Keys.Order(StringComparer.Ordinal)
        );
        foreach (var (entry, type) in types)
            Assert.Equal(type, entries[entry == "weight" ? name : $"{name}.{entry}"].dtype == ScalarType.Byte ? "uint8" : "float32");
        TensorAssert.Same(item.Expected("weight"), entries[name].to_type(ScalarType.Int64), "weight");
        foreach (var entry in item.Json("expected", "entries").EnumerateObject())
        {
            var found = entries[$"{name}.{entry.Name}"];
            var expected = GoldenCase.Read(entry.Value);
            TensorAssert.Close(expected, found.to_type(expected.dtype), found.dtype == ScalarType.Byte ? 0 : Values, entry.Name);
        }
        var state = JsonNode.Parse(Encoding.UTF8.GetString(entries[$"{name}.{stateName}"].bytes))!.AsObject();
        var given = JsonNode.Parse(item.Json("expected", "json").GetRawText())!.AsObject();
        Assert.Equal(given.Select(field => field.Key).Order(), state.Select(field => field.Key).Order());
        foreach (var (key, value) in given)
        {
            if (key == "nested_offset")
                Assert.Equal(value!.GetValue<double>(), state[key]!.GetValue<float>(), 1e-5);
            else
                Assert.True(JsonNode.DeepEquals(value, state[key]), $"{key} is {state[key]}, expected {value}");
        }
        // The peer's bytes, read: what a checkpoint of theirs gives.
        var theirs = item.Json("expected", "entries")
            .EnumerateObject()
            .ToDictionary(
                entry => $"{name}.{entry.Name}",
                entry => GoldenCase.Read(entry.Value).to_type(entries[$"{name}.{entry.Name}"].dtype)
            );
        theirs[name] = item.Expected("weight").to_type(ScalarType.Byte);
        theirs[$"{name}.{stateName}"] = tensor(JsonSerializer.SerializeToUtf8Bytes(item.Json("expected", "json")), dtype: ScalarType.Byte);
        using var read = BitsAndBytes.Read(name, entry => theirs.GetValueOrDefault(entry));
        Assert.Equal(weight.dtype, read.Type);
        TensorAssert.Close(item.Expected("dequantized"), read.Dequantize(), Values, "dequantized");
    }

    private static void LoftqCase(GoldenCase item)
    {
        var weight = item.Input("weight");
        int blockSize = (int)item.Parameter("blocksize", 64);
        // The peer's eight bits go through float16.
        var quantizer = (int)item.Parameter("bits", 4) switch
        {
            4 => Quantizer.Nf4(doubleQuantization: false, blockSize),
            8 => Quantizer.Of("int8 of float16", given => Int8Quantization.Rows(given.to_type(ScalarType.Float16).to_type(given.dtype))),
            var bits => throw new NotSupportedException($"{bits} bits, expected 4 or 8"),
        };
        var start = Loftq.Start(weight, (int)item.Parameter("r", 1), quantizer, (int)item.Parameter("iterations", 1));
        TensorAssert.Close(item.Expected("dequantized"), start.Weight.Dequantize(), 1e-4, "dequantized");
        TensorAssert.Close(item.Expected("product"), start.B.mm(start.A), 1e-4, "product");
        TensorAssert.Close([item.ExpectedNumber("error")], tensor(start.Error), 1e-4, "error");
    }

    private static void Qlora(GoldenCase item)
    {
        var weight = item.Input("weight");
        var quantized = BlockQuantization.Quantize(
            weight,
            TableOf(item.Text("quant_type")!),
            (int)item.Parameter("blocksize", 64),
            item.Flag("double")
        );
        using var layer = new QuantizedLinear(quantized, item.Flag("bias") ? item.Input("bias") : null);
        TensorAssert.Close(item.Expected("dequantized"), layer.Dequantize(), Values, "dequantized");
        using var model = nn.Sequential(("layer", layer));
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["layer"],
                Rank = (int)item.Parameter("r", 1),
                Alpha = item.Parameter("lora_alpha", 1),
                RankStabilized = item.Flag("use_rslora"),
            }
        );
        var piece = Assert.IsType<LoraLinear>(Assert.Single(adapted.Pieces("default")));
        using (no_grad())
        {
            piece.A.copy_(item.Input("lora_A"));
            piece.B.copy_(item.Input("lora_B"));
        }
        var x = item.Input("x").requires_grad_(true);
        var y = model.call(x);
        TensorAssert.Close(item.Expected("y"), y, Values, "y");
        (y * item.Input("upstream")).sum().backward();
        TensorAssert.Close(item.Gradient("x"), x.grad!, Values, "gradient of x");
        TensorAssert.Close(item.Gradient("lora_A"), piece.A.grad!, Values, "gradient of A");
        TensorAssert.Close(item.Gradient("lora_B"), piece.B.grad!, Values, "gradient of B");
        using (adapted.Disabled())
            TensorAssert.Close(item.Expected("y_base"), model.call(x), Values, "y_base");
    }
}
