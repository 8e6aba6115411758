using System.Text;
using PostTrain.Compression.Quantization;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Compression;

/// <summary>Entries of quantised weights that do not fit together are refused by name.</summary>
public sealed class BitsAndBytesTests
{
    private const string Name = "layer.weight";
    private const string State = Name + ".quant_state.bitsandbytes__nf4";

    public static TheoryData<string, string> Texts =>
        new()
        {
            { "", "bytes of text" },
            { "{", "JSON" },
            { "[1]", "JSON object" },
            { "{\"quant_type\":\"fp4\",\"blocksize\":64,\"dtype\":\"float32\",\"shape\":[6,64]}", "quant_type" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":0,\"dtype\":\"float32\",\"shape\":[6,64]}", "blocksize" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"int3\",\"shape\":[6,64]}", "dtype" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float32\",\"shape\":[-6,64]}", "shape" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float32\",\"shape\":\"x\"}", "shape" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float32\",\"shape\":[2147483647,2147483647,2147483647]}", "shape" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float32\",\"shape\":[6,65]}", Name },
            { "{\"quant_type\":\"nf4\",\"blocksize\":32,\"dtype\":\"float32\",\"shape\":[6,64]}", "absmax" },
            { "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float32\",\"shape\":[6,64],\"nested_blocksize\":256}", "absmax" },
        };

    [Theory]
    [MemberData(nameof(Texts))]
    public void StateThatDoesNotFit_IsRefused(string text, string named)
    {
        using var scope = NewDisposeScope();
        var entries = Entries(doubled: false);
        entries[State] = tensor(Encoding.UTF8.GetBytes(text), dtype: ScalarType.Byte);
        var refused = Assert.Throws<InvalidDataException>(() => BitsAndBytes.Read(Name, entries.GetValueOrDefault));
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EachEntry_IsNeeded_AndComesBack(bool doubled)
    {
        using var scope = NewDisposeScope();
        var entries = Entries(doubled);
        using var read = BitsAndBytes.Read(Name, entries.GetValueOrDefault);
        using var written = Quantized(doubled);
        TensorAssert.Same(written.Dequantize(), read.Dequantize(), "weight");
        foreach (string entry in entries.Keys)
        {
            var without = entries.Where(item => item.Key != entry).ToDictionary();
            var refused = Assert.Throws<InvalidDataException>(() => BitsAndBytes.Read(Name, without.GetValueOrDefault));
            Assert.Contains(Name, refused.Message, StringComparison.Ordinal);
            var wrong = entries.ToDictionary();
            wrong[entry] = zeros(3, dtype: ScalarType.Int64);
            Assert.Throws<InvalidDataException>(() => BitsAndBytes.Read(Name, wrong.GetValueOrDefault));
        }
        var other = entries.ToDictionary();
        other[$"{Name}.quant_map"] = zeros(16);
        Assert.Contains("table", Assert.Throws<InvalidDataException>(() => BitsAndBytes.Read(Name, other.GetValueOrDefault)).Message);
        using var dynamic = BlockQuantization.Quantize(ones(4, 4), CodeTable.Dynamic);
        Assert.Throws<ArgumentException>(() => BitsAndBytes.Entries(Name, dynamic));
    }

    private static Dictionary<string, Tensor> Entries(bool doubled)
    {
        using var quantized = Quantized(doubled);
        return BitsAndBytes.Entries(Name, quantized).ToDictionary(entry => entry.Name, entry => entry.Tensor);
    }

    private static BlockQuantized Quantized(bool doubled) => BlockQuantization.Nf4(QuantizationLawsTests.Normal(1, 6, 64), doubled);
}
