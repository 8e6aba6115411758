using System.Globalization;
using System.Text;
using PostTrain.Adapters.Prompts;
using PostTrain.Models;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class SoftPromptsTests
{
    private static readonly Tensor Ids = tensor(new long[] { 3, 1, 4 }, [1, 3]).DetachFromDisposeScope();

    // Every kind comes back as what it was, with the same bits; a network leaves its rows.
    [Theory]
    [InlineData("table", "PROMPT_TUNING")]
    [InlineData("lstm", "P_TUNING")]
    [InlineData("started", "P_TUNING")]
    [InlineData("template", "P_TUNING")]
    [InlineData("prefix", "PREFIX_TUNING")]
    [InlineData("projection", "PREFIX_TUNING")]
    public void SaveAndLoad_GiveTheSameBits(string kind, string type)
    {
        using var scope = NewDisposeScope();
        using var directory = new TemporaryDirectory();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using var prompted = Create(model, kind);
        prompted.eval();
        SoftPrompts.Save(prompted, directory.Path, "a \"base\"");
        Assert.Contains($"\"peft_type\": \"{type}\"", File.ReadAllText(directory.File("adapter_config.json")), StringComparison.Ordinal);
        using var loaded = SoftPrompts.Load(model, directory.Path);
        Assert.Equal(prompted.GetType(), loaded.GetType());
        var ids = kind == "template" ? tensor(new long[] { 23, 3, 24, 4 }, [1, 4]) : Ids;
        TensorAssert.Same(prompted.call(ids), loaded.call(ids));
        Assert.Equal(
            ["adapter_config.json", "adapter_model.safetensors"],
            Directory.EnumerateFiles(directory.Path).Select(Path.GetFileName).Order()
        );
    }

    [Theory]
    [InlineData("\"num_virtual_tokens\": 2", "\"num_virtual_tokens\": 3", "is Float32 [2,16], expected floating-point numbers [3,16]")]
    [InlineData("\"num_virtual_tokens\": 2", "\"num_virtual_tokens\": 2000000000", "expected at most 23")]
    [InlineData("\"num_virtual_tokens\": 2", "\"num_virtual_tokens\": -1", "expected a positive integer")]
    [InlineData("\"PROMPT_TUNING\"", "\"LORA\"", "'peft_type' is 'LORA', expected PROMPT_TUNING, PREFIX_TUNING or P_TUNING")]
    [InlineData("\"PROMPT_TUNING\"", "\"PREFIX_TUNING\"", "expected floating-point numbers [2,32]")]
    [InlineData("\"CAUSAL_LM\"", "\"SEQ_CLS\"", "expected CAUSAL_LM")]
    [InlineData("\"token_dim\": 16", "\"token_dim\": 17", "expected the model's hidden size, 16")]
    [InlineData("\"num_transformer_submodules\": 1", "\"num_transformer_submodules\": 2", "expected 1")]
    [InlineData("{", "", "is not JSON")]
    public void Load_WhatDoesNotFit_IsNamed(string text, string instead, string reason)
    {
        using var directory = new TemporaryDirectory();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using (var prompted = Create(model, "table"))
            SoftPrompts.Save(prompted, directory.Path);
        var path = directory.File("adapter_config.json");
        var config = File.ReadAllText(path);
        Assert.Contains(text, config, StringComparison.Ordinal);
        File.WriteAllText(path, config.Replace(text, instead, StringComparison.Ordinal));
        var error = Assert.Throws<InvalidDataException>(() => SoftPrompts.Load(model, directory.Path));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Contains(directory.Path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_MissingFilesAndOtherTensors_AreNamed()
    {
        using var directory = new TemporaryDirectory();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        Assert.Throws<DirectoryNotFoundException>(() => SoftPrompts.Load(model, directory.File("none")));
        Assert.Contains(
            "adapter_config.json",
            Assert.Throws<FileNotFoundException>(() => SoftPrompts.Load(model, directory.Path)).Message,
            StringComparison.Ordinal
        );
        using (var prompted = Create(model, "table"))
            SoftPrompts.Save(prompted, directory.Path);
        using (NewDisposeScope())
            SafetensorsFile.Write(directory.File("adapter_model.safetensors"), [("prompt_embeddings", zeros(2, 16)), ("extra", zeros(1))]);
        Assert.Contains(
            "'extra' is unexpected",
            Assert.Throws<InvalidDataException>(() => SoftPrompts.Load(model, directory.Path)).Message,
            StringComparison.Ordinal
        );
        File.Delete(directory.File("adapter_model.safetensors"));
        Assert.Contains(
            "adapter_model.safetensors",
            Assert.Throws<FileNotFoundException>(() => SoftPrompts.Load(model, directory.Path)).Message,
            StringComparison.Ordinal
        );
    }

    // 1,000 broken variants of both files (POSTTRAIN_FUZZ for more) load or are refused as data; nothing else is thrown, and nothing leaks.
    [Fact]
    public void Load_MutatedFiles_LoadOrAreRefused()
    {
        using var directory = new TemporaryDirectory();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using (var prompted = Create(model, "table"))
            SoftPrompts.Save(prompted, directory.Path);
        string[] names = ["adapter_config.json", "adapter_model.safetensors"];
        var files = names.Select(name => File.ReadAllBytes(directory.File(name))).ToArray();
        var count = int.TryParse(
            Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ"),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var given
        )
            ? given
            : 1000;
        var random = new Random(5);
        var (loaded, refused) = (0, 0);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (var i = 0; i < count; i++)
        {
            var which = i % 2;
            File.WriteAllBytes(directory.File(names[which]), Mutate(files[which], random));
            try
            {
                SoftPrompts.Load(model, directory.Path).Dispose();
                loaded++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }

            File.WriteAllBytes(directory.File(names[which]), files[which]);
        }

        Assert.True(loaded > count / 100 && refused > count / 100, $"{loaded} loaded, {refused} refused");
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    private static byte[] Mutate(byte[] file, Random random)
    {
        var bytes = file.ToList();
        for (var changes = random.Next(1, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 40), bytes.Count - at));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.InsertRange(
                        at,
                        Encoding.UTF8.GetBytes(random.GetItems(["9", "-", "\"", "null", "{", "1e999", "\\ud800", "[[[["], 1)[0])
                    );
                    break;
                default:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
            }
        }

        return [.. bytes];
    }

    private static PromptedLm Create(PostTrain.Models.Decoder model, string kind)
    {
        using var start = PromptTable.Random(2, 16, 3);
        return kind switch
        {
            "table" => new SoftPromptLm(model, PromptTable.Random(2, 16, 1)),
            "lstm" => new SoftPromptLm(model, new LstmPromptEncoder(2, 16, 4, 1, 0, 1)),
            "started" => new SoftPromptLm(model, new LstmPromptEncoder(2, 16, 4, 1, 0, 1).StartingAt(start)),
            "template" => new TemplatePromptLm(model, PromptTable.Random(2, 16, 1)),
            "prefix" => new PrefixLm(model, PromptTable.Random(2, 32, 1)),
            _ => new PrefixLm(model, new PrefixProjection(2, 32, 8, 4, 1)),
        };
    }
}
