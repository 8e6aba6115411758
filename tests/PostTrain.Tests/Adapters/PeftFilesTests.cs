using System.Globalization;
using System.Text;
using PostTrain.Adapters;
using PostTrain.Adapters.Peft;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class PeftFilesTests : IDisposable
{
    private readonly TemporaryDirectory folder = new();
    private readonly PostTrain.Models.Decoder model = AdapterModels.Llama(ScalarType.Float32);

    public void Dispose()
    {
        model.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData("\"r\": 2,", "\"r\": 3,", "lora_A")]
    [InlineData("\"r\": 2,", "\"r\": 2000000000,", "elements")]
    [InlineData("\"r\": 2,", "\"r\": -1,", "'r'")]
    [InlineData("\"r\": 2,", "\"r\": \"2\",", "'r'")]
    [InlineData("\"LORA\"", "\"LORRA\"", "peft_type")]
    [InlineData("\"use_qalora\": false", "\"use_qalora\": true", "use_qalora")]
    [InlineData("\"loftq_config\": {}", "\"loftq_config\": {\"bits\": 4}", "loftq_config")]
    [InlineData("\"megatron_core\": \"megatron.core\"", "\"megatron_core\": \"other\"", "megatron.core")]
    [InlineData("\"init_lora_weights\": true", "\"init_lora_weights\": \"corda\"", "corda")]
    [InlineData("\"lora_dropout\": 0.0", "\"lora_dropout\": 1.5", "Dropout")]
    [InlineData("\"lora_alpha\": 8", "\"lora_alpha\": 0", "lora_alpha")]
    [InlineData("\"bias\": \"none\"", "\"bias\": \"some\"", "bias")]
    [InlineData("\"q_proj\"", "\"\"", "target_modules")]
    [InlineData("\"q_proj\"", "\"k_proj\"", "k_proj")]
    [InlineData("\"exclude_modules\": null", "\"exclude_modules\": \"(\"", "regular expression")]
    [InlineData("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 1.5}", "rank_pattern")]
    [InlineData("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 0}", "RankPattern")]
    [InlineData("\"trainable_token_indices\": null", "\"trainable_token_indices\": [99]", "22")]
    [InlineData("\"trainable_token_indices\": null", "\"trainable_token_indices\": [\"a\"]", "trainable_token_indices")]
    [InlineData("\"layers_to_transform\": null", "\"layers_to_transform\": [7]", "no module")]
    [InlineData("\"exclude_modules\": null", "\"exclude_modules\": \"(a+)+b\"", null)]
    public void Config_ThatDoesNotFit_IsRefusedWithFileAndReason(string part, string other, string? reason)
    {
        Write();
        var text = File.ReadAllText(folder.File("adapter_config.json"));
        Assert.Contains(part, text, StringComparison.Ordinal);
        folder.Write("adapter_config.json", text.Replace(part, other, StringComparison.Ordinal));
        if (reason is null)
        {
            AdaptedModel.Load(model, folder.Path).Dispose();
            return;
        }
        var error = Assert.Throws<InvalidDataException>(() => AdaptedModel.Load(model, folder.Path));
        Assert.Contains(folder.Path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(model.named_parameters(), item => item.name.StartsWith("adapters", StringComparison.Ordinal));
    }

    [Fact]
    public void Files_Missing_AreNamed()
    {
        Assert.Contains(
            "adapter_config.json",
            Assert.Throws<FileNotFoundException>(() => AdaptedModel.Load(model, folder.Path)).Message,
            StringComparison.Ordinal
        );
        Write();
        File.Delete(folder.File("adapter_model.safetensors"));
        Assert.Contains(
            "adapter_model.safetensors",
            Assert.Throws<FileNotFoundException>(() => AdaptedModel.Load(model, folder.Path)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Tensors_OfAnotherAdapter_AreNamed()
    {
        Write();
        using var scope = NewDisposeScope();
        const string Name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
        void Refuses(string expected, Func<(string Name, Tensor Tensor), (string, Tensor)?> change)
        {
            Write();
            var path = folder.File("adapter_model.safetensors");
            List<(string, Tensor)> tensors;
            using (var file = SafetensorsFile.Open(path))
                tensors =
                [
                    .. file
                        .Entries.Select(entry => change((entry.Name, file.Read(entry.Name))))
                        .Where(item => item is not null)
                        .Select(item => item!.Value),
                ];
            SafetensorsFile.Write(path, tensors);
            Assert.Contains(
                expected,
                Assert.Throws<InvalidDataException>(() => AdaptedModel.Load(model, folder.Path)).Message,
                StringComparison.Ordinal
            );
        }
        Refuses("missing", item => item.Name == Name ? null : item);
        Refuses("missing", item => item.Name == Name ? (Name + "s", item.Tensor) : item);
        Refuses("[2,16]", item => item.Name == Name ? (Name, zeros(2, 15)) : item);
        Write();
        SafetensorsFile.Write(
            folder.File("adapter_model.safetensors"),
            [.. Read(folder.File("adapter_model.safetensors")), ("base_model.model.other", zeros(1))]
        );
        Assert.Contains(
            "unexpected",
            Assert.Throws<InvalidDataException>(() => AdaptedModel.Load(model, folder.Path)).Message,
            StringComparison.Ordinal
        );
        Refuses("Int64", item => item.Name == Name ? (Name, zeros(2, 16, dtype: ScalarType.Int64)) : item);
    }

    [Fact]
    public void EmbeddingsBase_OfAnotherModel_IsRefused()
    {
        using (var adapted = AdaptedModel.Attach(model, AdapterModels.Methods["lora-embedding-head"]))
            adapted.Save(folder.Path);
        AdaptedModel.Load(model, folder.Path).Dispose();
        using (no_grad())
            model.TokenEmbeddings[0, 0] += 1;
        Assert.Contains(
            "another base model",
            Assert.Throws<InvalidDataException>(() => AdaptedModel.Load(model, folder.Path)).Message,
            StringComparison.Ordinal
        );
    }

    // Bytes and structure of both files; POSTTRAIN_FUZZ sets how many.
    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("adapter_model.safetensors")]
    public void Files_Mutated_LoadOrAreRefused(string name)
    {
        Write();
        var whole = File.ReadAllBytes(folder.File(name));
        var random = new Random(5);
        var count = int.TryParse(
            Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ"),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var given
        )
            ? given
            : 1000;
        var (loaded, refused) = (0, 0);
        for (var i = 0; i < count; i++)
        {
            folder.Write(name, Mutate(whole, random, name.EndsWith("json", StringComparison.Ordinal)));
            try
            {
                AdaptedModel.Load(model, folder.Path).Dispose();
                loaded++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }
        Assert.True(loaded > count / 100 && refused > count / 10, $"{loaded} loaded, {refused} refused");
    }

    [Fact]
    public void PythonJson_IsWhatPythonWrites()
    {
        var text = PythonJson.Write(
            new Dictionary<string, object?>
            {
                ["b"] = new List<object?> { 1, 0.5, 1e-5, 2.0, "ü\"\\\n\u0001" },
                ["a"] = null,
                ["c"] = new Dictionary<string, object?>(),
                ["d"] = new Dictionary<string, object?> { ["y"] = true, ["x"] = new List<object?>() },
            }
        );
        Assert.Equal(
            "{\n  \"a\": null,\n  \"b\": [\n    1,\n    0.5,\n    1e-05,\n    2.0,\n    \"\\u00fc\\\"\\\\\\n\\u0001\"\n  "
                + "],\n  \"c\": {},\n  \"d\": {\n    \"x\": [],\n    \"y\": true\n  }\n}",
            text
        );
    }

    private static List<(string, Tensor)> Read(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return [.. file.Entries.Select(entry => (entry.Name, file.Read(entry.Name)))];
    }

    private void Write()
    {
        using var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ["q_proj"], Rank = 2 });
        adapted.Save(folder.Path);
    }

    private static byte[] Mutate(byte[] file, Random random, bool isText)
    {
        var bytes = file.ToList();
        // Half of the changes of a safetensors file hit its header.
        var end = isText || random.Next(2) == 0 ? bytes.Count : Math.Min(bytes.Count, 600);
        for (var changes = random.Next(1, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(Math.Min(end, bytes.Count));
            switch (random.Next(6))
            {
                case 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 40), bytes.Count - at));
                    break;
                case 4:
                    bytes.InsertRange(
                        at,
                        Encoding.UTF8.GetBytes(
                            random.GetItems(["999999999999", "-1", "null", "[", "{", "\"\\ud800\"", "1e400", "true", "\"(a*)*b\""], 1)[0]
                        )
                    );
                    break;
                default:
                    bytes.InsertRange(at, bytes.Skip(random.Next(bytes.Count)).Take(random.Next(1, 60)).ToArray());
                    break;
            }
        }
        return [.. bytes];
    }
}
