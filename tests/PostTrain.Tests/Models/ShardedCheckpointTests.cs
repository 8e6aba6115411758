using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Checkpoints of several files: what transformers wrote, what is written, and indices that lie.</summary>
public sealed class ShardedCheckpointTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private string IndexPath => directory.File("model.safetensors.index.json");

    private string[] Files =>
        [.. Directory.GetFileSystemEntries(directory.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private void SaveShards(long maximum = 4000, string name = "llama")
    {
        using var model = TinyModels.Create(name, ScalarType.Float32);
        Pretrained.Save(model, directory.Path, new SaveOptions { MaxShardBytes = maximum });
    }

    // A limit of "28KB" is what cuts this model where the reference cut it; anything from 26880 to 30719 bytes does.
    [GoldenFolderTheory("models")]
    [InlineData("gpt2", SaveOptions.DefaultMaxShardBytes)]
    [InlineData("llama-gqa", SaveOptions.DefaultMaxShardBytes)]
    [InlineData("llama-tied", SaveOptions.DefaultMaxShardBytes)]
    [InlineData("llama-bf16", SaveOptions.DefaultMaxShardBytes)]
    [InlineData("llama-sharded", 28_000)]
    public void LoadThenSave_GivesTheReferencesFilesByteForByte(string name, long maximum)
    {
        var source = Path.Combine(GoldenFile.Directory, "models", name);
        using (var model = Pretrained.Load(source))
            Pretrained.Save(model, directory.Path, new SaveOptions { MaxShardBytes = maximum });
        Assert.Equal(
            Directory
                .GetFiles(source)
                .Select(path => Path.GetFileName(path))
                .Where(file => file != "expected.safetensors")
                .Order(StringComparer.Ordinal),
            Files
        );
        Assert.All(
            Files,
            file =>
                Assert.True(
                    File.ReadAllBytes(Path.Combine(source, file)).AsSpan().SequenceEqual(File.ReadAllBytes(directory.File(file))),
                    file
                )
        );
    }

    [Fact]
    public void Save_Shards_AreFullButNotTooLarge_AndLoadToTheSameBits()
    {
        SaveShards(maximum: 4000);
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using var loaded = Pretrained.Load(directory.Path);
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(loaded));
        var shards = Files.Where(Shards.IsShard).ToArray();
        Assert.True(shards.Length > 3);
        var sizes = shards
            .Select(file =>
            {
                using var opened = SafetensorsFile.Open(directory.File(file));
                Assert.Equal("pt", opened.Metadata["format"]);
                return opened.Entries.Sum(entry => entry.Length);
            })
            .ToArray();
        // No tensor is larger than a shard here; two neighbours never fit into one.
        Assert.All(sizes, size => Assert.InRange(size, 1, 4000));
        Assert.All(sizes.Zip(sizes.Skip(1)), pair => Assert.True(pair.First + pair.Second > 4000));
        var metadata = JsonNode.Parse(File.ReadAllText(IndexPath))!["metadata"]!;
        Assert.Equal(sizes.Sum(), (long)metadata["total_size"]!);
        Assert.Equal(sizes.Sum() / 4, (long)metadata["total_parameters"]!);
    }

    [Fact]
    public void Save_ShardOfOneByte_GivesEachTensorItsFile()
    {
        SaveShards(maximum: 1);
        using var model = Pretrained.Load(directory.Path);
        Assert.Equal(model.named_parameters().Count(), Files.Count(Shards.IsShard));
        Assert.Throws<ArgumentOutOfRangeException>(() => SaveShards(maximum: 0));
    }

    [Fact]
    public void Save_OverAnEarlierCheckpoint_RemovesWhatIsNoLongerOfIt()
    {
        SaveShards(maximum: 2000);
        File.WriteAllText(directory.File("tokenizer.json"), "{}");
        File.WriteAllText(directory.File("model-of-mine.safetensors"), "mine");
        SaveShards(maximum: 4000);
        using (var model = Pretrained.Load(directory.Path))
            Assert.Equal(
                Files.Where(Shards.IsShard),
                JsonNode.Parse(File.ReadAllText(IndexPath))!["weight_map"]!
                    .AsObject()
                    .Select(item => (string)item.Value!)
                    .Distinct()
                    .Order(StringComparer.Ordinal)
            );
        SaveShards(maximum: long.MaxValue);
        Assert.Equal(["config.json", "model-of-mine.safetensors", "model.safetensors", "tokenizer.json"], Files);
        SaveShards(maximum: 4000);
        Assert.DoesNotContain("model.safetensors", Files);
        Pretrained.Load(directory.Path).Dispose();
    }

    [Fact]
    public void Save_AsBFloat16_WritesHalfTheBytesAndSaysSo()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2", ScalarType.Float32);
        Pretrained.Save(model, directory.Path, new SaveOptions { Type = ScalarType.BFloat16 });
        using var loaded = Pretrained.Load(directory.Path);
        Assert.All(
            model.named_parameters().Zip(loaded.named_parameters()),
            pair => TensorAssert.Same(pair.First.parameter.to_type(ScalarType.BFloat16), pair.Second.parameter, pair.First.name)
        );
        Assert.Contains("\"bfloat16\"", File.ReadAllText(directory.File("config.json")), StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Pretrained.Save(model, directory.Path, new SaveOptions { Type = ScalarType.Int64 })
        );
    }

    [Fact]
    public void Save_ThatFailsOnTheWay_LeavesTheOldCheckpointAndNothingElse()
    {
        SaveShards();
        var before = Files.ToDictionary(file => file, file => File.ReadAllBytes(directory.File(file)));
        using var broken = TinyModels.Create("gpt2", ScalarType.Float32);
        broken.TokenEmbeddings.Dispose();
        Assert.ThrowsAny<Exception>(() => Pretrained.Save(broken, directory.Path));
        Assert.Equal(before.Keys, Files);
        Assert.All(before, file => Assert.Equal(file.Value, File.ReadAllBytes(directory.File(file.Key))));
    }

    [TmpfsFact]
    public void Save_FullDisk_LeavesTheOldCheckpointAndNothingElse()
    {
        SaveShards();
        var size = Directory.GetFiles(directory.Path).Sum(file => (new FileInfo(file).Length + 4095) / 4096 * 4096);
        // Room for one checkpoint and a part of the next.
        using var disk = new SmallFileSystem(size * 3 / 2);
        using var first = TinyModels.Create("llama", ScalarType.Float32);
        Pretrained.Save(first, disk.Path, new SaveOptions { MaxShardBytes = 4000 });
        var files = Directory.GetFileSystemEntries(disk.Path).Order(StringComparer.Ordinal).ToArray();
        using var second = Decoder.Create(TinyModels.Llama, 3);
        var error = Assert.Throws<IOException>(() => Pretrained.Save(second, disk.Path, new SaveOptions { MaxShardBytes = 4000 }));
        Assert.Contains("space", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(files, Directory.GetFileSystemEntries(disk.Path).Order(StringComparer.Ordinal));
        using var loaded = Pretrained.Load(disk.Path);
        Assert.Equal(Toy.Bytes(first), Toy.Bytes(loaded));
    }

    public static TheoryData<string, string, string> Lies =>
        new()
        {
            { "no object", "[]", "expected an object" },
            { "no JSON", "{", "not JSON" },
            { "no map", """{"metadata":{}}""", "no weight_map" },
            { "empty map", """{"weight_map":{}}""", "is empty" },
            { "number as a file", """{"weight_map":{"a":1}}""", "expected a file name" },
            { "parent", """{"weight_map":{"a":"../model-00001-of-00002.safetensors"}}""", "in the same directory" },
            { "absolute", """{"weight_map":{"a":"/etc/passwd.safetensors"}}""", "in the same directory" },
            { "backslash", """{"weight_map":{"a":"..\\x.safetensors"}}""", "in the same directory" },
            { "other ending", """{"weight_map":{"a":"pytorch_model.bin"}}""", "in the same directory" },
            { "NUL", "{\"weight_map\":{\"a\":\"a\\u0000.safetensors\"}}", "in the same directory" },
            { "dots", """{"weight_map":{"a":"...safetensors"}}""", "in the same directory" },
            {
                "missing",
                """{"weight_map":{"a":"model-00009-of-00009.safetensors"}}""",
                "the shard 'model-00009-of-00009.safetensors' is missing"
            },
            { "twice", """{"weight_map":{"a":"x.safetensors","a":"x.safetensors"}}""", "occurs twice" },
            { "half a pair", """{"weight_map":{"\ud800":"x.safetensors"}}""", "not valid text" },
            { "negative size", """{"metadata":{"total_size":-1},"weight_map":{"a":"x.safetensors"}}""", "total_size is -1" },
            { "absurd size", """{"metadata":{"total_size":1e300},"weight_map":{"a":"x.safetensors"}}""", "total_size is 1e300" },
            { "size as text", """{"metadata":{"total_size":"9"},"weight_map":{"a":"x.safetensors"}}""", "expected a number of bytes" },
        };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Load_IndexThatLies_IsRefused(string what, string index, string reason)
    {
        Assert.NotEmpty(what);
        SaveShards();
        File.WriteAllText(IndexPath, index);
        var message = Assert.Throws<InvalidDataException>(() => Pretrained.Load(directory.Path)).Message;
        Assert.Contains(IndexPath, message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_TensorInAnotherShardThanTheIndexSays_IsRefused()
    {
        SaveShards();
        void Edit(Action<JsonObject> edit)
        {
            var index = JsonNode.Parse(File.ReadAllText(IndexPath))!.AsObject();
            edit(index["weight_map"]!.AsObject());
            File.WriteAllText(IndexPath, index.ToJsonString());
        }

        string Refusal() => Assert.Throws<InvalidDataException>(() => Pretrained.Load(directory.Path)).Message;
        var original = File.ReadAllText(IndexPath);
        Edit(map => map["model.norm.weight"] = (string)map["model.embed_tokens.weight"]!);
        Assert.Contains("'model.norm.weight', which the index places in 'model-00001-of", Refusal(), StringComparison.Ordinal);
        File.WriteAllText(IndexPath, original);
        Edit(map => map.Remove("model.norm.weight"));
        Assert.Contains("'model.norm.weight', which the index does not name", Refusal(), StringComparison.Ordinal);
        File.WriteAllText(IndexPath, original);
        Edit(map => map["extra"] = (string)map["model.norm.weight"]!);
        Assert.Contains("the tensor 'extra' is not in the shard", Refusal(), StringComparison.Ordinal);

        // The same tensor in two shards: one of them holds what the index places elsewhere.
        File.WriteAllText(IndexPath, original);
        var first = directory.File(Files.First(Shards.IsShard));
        using (var scope = NewDisposeScope())
        {
            List<(string, Tensor)> tensors;
            using (var file = SafetensorsFile.Open(first))
                tensors = [.. file.Entries.Select(entry => (entry.Name, file.Read(entry.Name))), ("model.norm.weight", ones(16))];
            SafetensorsFile.Write(first, tensors);
        }

        Assert.Contains("'model.norm.weight', which the index places in", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_PickledWeightsOnly_SaysWhatToDo()
    {
        SaveShards(long.MaxValue);
        File.Delete(directory.File("model.safetensors"));
        directory.Write("pytorch_model.bin", [0x80, 2]);
        var message = Assert.Throws<FileNotFoundException>(() => Pretrained.Load(directory.Path)).Message;
        Assert.Contains("only as pytorch_model.bin", message, StringComparison.Ordinal);
        Assert.Contains("expected model.safetensors", message, StringComparison.Ordinal);
    }

    [Fact]
    public void SettingsThatTheModelDoesNotUse_ComeBackAsTheyWere()
    {
        SaveShards(long.MaxValue);
        var config = JsonNode.Parse(File.ReadAllText(directory.File("config.json")))!.AsObject();
        config["initializer_range"] = 0.25;
        config["nested"] = new JsonObject { ["b"] = 1, ["a"] = new JsonArray("x", null) };
        File.WriteAllText(directory.File("config.json"), config.ToJsonString());
        directory.Write("generation_config.json", """{ "temperature": 0.6 }""");
        var target = directory.File("again");
        using (var model = Pretrained.Load(directory.Path, ScalarType.Float64))
            Pretrained.Save(model, target);
        var saved = JsonNode.Parse(File.ReadAllText(Path.Combine(target, "config.json")))!.AsObject();
        config[config.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = "float64";
        Assert.True(JsonNode.DeepEquals(config, saved), saved.ToJsonString());
        Assert.Equal("""{ "temperature": 0.6 }""", File.ReadAllText(Path.Combine(target, "generation_config.json")));
        directory.Write("generation_config.json", "[1]");
        Assert.Contains(
            "expected an object",
            Assert.Throws<InvalidDataException>(() => Pretrained.Load(directory.Path)).Message,
            StringComparison.Ordinal
        );
    }
}
