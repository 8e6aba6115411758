using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>gguf.json: checkpoints as llama.cpp's converter writes them, and the block formats of ggml, byte for byte.</summary>
internal static class GgufGolden
{
    // llama.cpp's converter writes -1000 for every token of a byte-pair encoding without SentencePiece's file, with which llama.cpp merges
    // in another order than the tokenizer; here the scores are the ranks of the merges.
    private const string Scores = "tokenizer.ggml.scores";

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["gguf_convert"] = new(Convert),
            ["gguf_quantize"] = new(Quantize),
            ["gguf_dequantize"] = new(Dequantize),
        };

    private static void Quantize(GoldenCase item)
    {
        var type = Type(item);
        var values = item.Input("tensor");
        var bytes = new byte[GgufBlocks.BytesOf(type, values.numel())];
        GgufQuantizer.Encode(type, values.data<float>().ToArray(), bytes);
        Assert.Equal(Bytes(item.Expected("bytes")), bytes);
        var back = new float[values.numel()];
        GgufDequantizer.Decode(type, bytes, back);
        TensorAssert.Same(item.Expected("dequantized"), tensor(back).reshape(values.shape));
    }

    private static void Dequantize(GoldenCase item)
    {
        var type = Type(item);
        var expected = item.Expected("dequantized");
        var values = new float[expected.numel()];
        GgufDequantizer.Decode(type, Bytes(item.Input("bytes")), values);
        TensorAssert.Same(expected, tensor(values).reshape(expected.shape));
    }

    private static GgufType Type(GoldenCase item)
    {
        var type = Enum.Parse<GgufType>(item.Text("type")!);
        Assert.Equal(item.Parameter("block", 0), GgufBlocks.Elements(type));
        Assert.Equal(item.Parameter("block_bytes", 0), GgufBlocks.Bytes(type));
        return type;
    }

    private static byte[] Bytes(Tensor codes) => [.. codes.data<long>().Select(code => checked((byte)code))];

    private static void Convert(GoldenCase item)
    {
        var type = Enum.Parse<GgufType>(item.Text("outtype")!, ignoreCase: true);
        var preTokenizer = item.Text("pre_tokenizer");
        var vocabulary = !item.HasParameter("vocabulary") || item.Flag("vocabulary");
        // A case of a model beside the golden files, which is not everywhere: its directory is looked for among the real models.
        var model = item.Text("model")!;
        if (Directory(model) is not { } directory)
        {
            item.Unneeded("file");
            return;
        }

        using var folder = new TemporaryDirectory();
        var path = folder.File("model.gguf");
        GgufExport.Write(
            directory,
            path,
            new GgufExportOptions
            {
                Type = type,
                Vocabulary = vocabulary,
                PreTokenizer = preTokenizer == "default" ? null : preTokenizer,
                // Windows and scales that llama.cpp leaves out are converted by the peer.
                AllowDifferences = true,
            }
        );
        using var file = GgufFile.Open(path);
        CheckMetadata(item, file, written: true);
        CheckTensors(item, file, [.. item.Json("expected", "tensors").EnumerateArray()]);
        if (item.HasExpected("required"))
            Assert.All(item.Json("expected", "required").EnumerateArray(), key => Assert.Contains(key.GetString()!, file.Metadata.Keys));
        if (item.HasExpected("last_logits"))
            CheckModel(item, directory);
        if (item.Text("file") is { } golden)
            CheckFile(item, Path.Combine(GoldenFile.Directory, golden));
    }

    private static string? Directory(string model)
    {
        var path = Path.GetFullPath(Path.Combine(GoldenFile.Directory, model));
        if (System.IO.Directory.Exists(path))
            return path;
        const string RealModelsPrefix = "../models/";
        Assert.StartsWith(RealModelsPrefix, model, StringComparison.Ordinal);
        var real = RealModels.Directory is null ? null : RealModels.PathOf(model[RealModelsPrefix.Length..]);
        return System.IO.Directory.Exists(real) ? real : null;
    }

    // Order and general.* are the converter's habit, of which only the architecture means something.
    private static void CheckMetadata(GoldenCase item, GgufFile file, bool written)
    {
        var expected = item.Json("expected", "metadata").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value);
        bool Compared(string key) => !written || key == "general.architecture" || !key.StartsWith("general.", StringComparison.Ordinal);
        Assert.Equal(
            expected.Keys.Where(Compared).Order(StringComparer.Ordinal),
            file.Metadata.Keys.Where(Compared).Order(StringComparer.Ordinal)
        );
        foreach (var (key, value) in expected.Where(entry => Compared(entry.Key)))
        {
            if (written && key == Scores)
                continue;
            var actual = file.Metadata[key];
            Assert.Equal(value.GetProperty("type").GetString(), TypeName(actual));
            if (actual is not Array array)
                Assert.True(Equal(value.GetProperty("value"), actual), $"{key} is {actual}, expected {value}");
            else if (value.TryGetProperty("value", out var list))
                Assert.Equal(list.EnumerateArray().Select(entry => entry.ToString()), array.Cast<object>().Select(entry => $"{entry}"));
            else
            {
                Assert.Equal(value.GetProperty("count").GetInt32(), array.Length);
                Assert.True(value.GetProperty("sha256").GetString() == Hash(Payload(array)), $"{key} has other elements");
            }
        }
    }

    private static bool Equal(JsonElement expected, object actual) =>
        actual switch
        {
            string text => expected.GetString() == text,
            bool flag => expected.GetBoolean() == flag,
            float number => (float)expected.GetDouble() == number,
            _ => expected.GetInt64() == System.Convert.ToInt64(actual, System.Globalization.CultureInfo.InvariantCulture),
        };

    private static string TypeName(object value) =>
        value is Array array
            ? "array:" + TypeName(array.GetValue(0)!)
            : value switch
            {
                string => "string",
                bool => "bool",
                float => "float32",
                uint => "uint32",
                int => "int32",
                _ => value.GetType().Name,
            };

    private static byte[] Payload(Array array)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        writer.Write(
            array is string[] ? 8u
            : array is float[] ? 6u
            : 5u
        );
        writer.Write((ulong)array.Length);
        foreach (var item in array)
        {
            if (item is string text)
            {
                writer.Write((ulong)Encoding.UTF8.GetByteCount(text));
                writer.Write(Encoding.UTF8.GetBytes(text));
            }
            else if (item is float number)
                writer.Write(number);
            else
                writer.Write((int)item);
        }

        writer.Flush();
        return buffer.ToArray();
    }

    private static void CheckTensors(GoldenCase item, GgufFile file, JsonElement[] expected)
    {
        Assert.Equal(item.ExpectedNumber("tensor_count"), file.Tensors.Count);
        Assert.Equal(
            expected.Select(tensor => tensor.GetProperty("name").GetString()!).Order(StringComparer.Ordinal),
            file.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal)
        );
        foreach (var entry in expected)
        {
            var name = entry.GetProperty("name").GetString()!;
            Assert.True(file.TryGetTensor(name, out var tensor));
            Assert.Equal(entry.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()), tensor.Shape.Reverse());
            Assert.Equal(entry.GetProperty("type").GetString(), tensor.Type.ToString());
            Assert.Equal(entry.GetProperty("bytes").GetInt64(), tensor.Length);
            Assert.True(entry.GetProperty("sha256").GetString() == Hash(file.ReadBytes(name)), $"{name} has other bytes");
        }
    }

    // The peer's own file: header, places and numbers.
    private static void CheckFile(GoldenCase item, string path)
    {
        using var file = GgufFile.Open(path);
        Assert.Equal(item.ExpectedNumber("version"), file.Version);
        Assert.Equal(item.ExpectedNumber("alignment"), file.Alignment);
        Assert.Equal(item.ExpectedNumber("data_start"), file.DataStart);
        Assert.Equal(item.ExpectedNumber("file_bytes"), new FileInfo(path).Length);
        CheckMetadata(item, file, written: false);
        var expected = item.Json("expected", "tensors").EnumerateArray().ToArray();
        CheckTensors(item, file, expected);
        foreach (var entry in expected)
        {
            Assert.True(file.TryGetTensor(entry.GetProperty("name").GetString()!, out var tensor));
            Assert.Equal(entry.GetProperty("offset").GetInt64(), tensor.Offset - file.DataStart);
        }
    }

    private static void CheckModel(GoldenCase item, string directory)
    {
        using var scope = NewDisposeScope();
        using var model = Pretrained.Load(directory);
        var prompt = item.Json("expected", "prompt_ids").EnumerateArray().Select(id => id.GetInt64()).ToArray();
        var text = item.Json("expected", "prompt").GetString()!;
        Assert.Equal(prompt, PostTrain.Text.TokenizerFiles.Load(directory).Encode(text).Select(id => (long)id));
        var logits = model.call(tensor(prompt, [1, prompt.Length])).select(1, prompt.Length - 1).select(0, 0);
        TensorAssert.Close(item.Expected("last_logits"), logits, 1e-4, "last_logits");
    }

    private static string Hash(byte[] bytes) => System.Convert.ToHexStringLower(SHA256.HashData(bytes));
}
