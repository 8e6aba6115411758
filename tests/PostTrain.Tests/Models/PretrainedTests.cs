using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class PretrainedTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private string ConfigPath => directory.File("config.json");

    private string WeightsPath => directory.File("model.safetensors");

    private void SaveTiny(string name)
    {
        using var model = TinyModels.Create(name, ScalarType.Float32);
        Pretrained.Save(model, directory.Path);
    }

    private void EditConfig(Action<JsonObject> edit)
    {
        var config = JsonNode.Parse(File.ReadAllText(ConfigPath))!.AsObject();
        edit(config);
        File.WriteAllText(ConfigPath, config.ToJsonString());
    }

    private string Refusal() => Assert.Throws<InvalidDataException>(() => Pretrained.Load(directory.Path)).Message;

    [Theory]
    [MemberData(nameof(Families))]
    public void SaveThenLoad_GivesTheSameBits(string name)
    {
        SaveThenLoad(name, true);
        SaveThenLoad(name, false);
    }

    public static TheoryData<string> Families => TinyModels.Names;

    private void SaveThenLoad(string name, bool tied)
    {
        using var scope = NewDisposeScope();
        var config = TinyModels.Config(name) with
        {
            TiedEmbeddings = tied,
            NormEpsilon = 3e-6,
            BeginOfSequenceId = 1,
            EndOfSequenceIds = [2],
            PaddingId = 0,
        };
        using var model = TinyModels.Create(config, ScalarType.Float32);
        Pretrained.Save(model, directory.Path);
        Assert.Equal(2, Directory.GetFiles(directory.Path).Length);
        using var loaded = Pretrained.Load(directory.Path);
        Assert.Equal(
            model.Config with
            {
                EndOfSequenceIds = [],
                ModelType = loaded.Config.ModelType,
            },
            loaded.Config with
            {
                EndOfSequenceIds = [],
            }
        );
        Assert.Equal(name.Split('-')[0], loaded.Config.ModelType);
        Assert.Equal([2], loaded.Config.EndOfSequenceIds);
        var expected = model.named_parameters().ToList();
        var actual = loaded.named_parameters().ToList();
        Assert.Equal(expected.Select(item => item.name), actual.Select(item => item.name));
        foreach (var ((parameterName, saved), (_, read)) in expected.Zip(actual))
        {
            Assert.Equal(saved.shape, read.shape);
            Assert.True(saved.bytes.SequenceEqual(read.bytes), parameterName);
        }

        var ids = Numbers.Ids(1, 23, 2, 5);
        TensorAssert.Same(model.call(ids), loaded.call(ids));
    }

    [Fact]
    public void Load_IntoAnotherType_ConvertsEveryWeight()
    {
        SaveTiny("llama");
        using var model = Pretrained.Load(directory.Path, ScalarType.Float64);
        Assert.All(model.parameters(), parameter => Assert.Equal(ScalarType.Float64, parameter.dtype));
    }

    [Fact]
    public void Load_NamesWithoutTheFirstPart_AndOldBuffers_AreAccepted()
    {
        using var scope = NewDisposeScope();
        SaveTiny("gpt2");
        using (var file = SafetensorsFile.Open(WeightsPath))
        {
            var tensors = file
                .Entries.Select(entry => (entry.Name.Replace("transformer.", "", StringComparison.Ordinal), file.Read(entry.Name)))
                .ToList();
            tensors.Add(("h.0.attn.bias", ones(1, 1, 24, 24)));
            SafetensorsFile.Write(directory.File("other.safetensors"), tensors);
        }

        using var expected = Pretrained.Load(directory.Path);
        File.Move(directory.File("other.safetensors"), WeightsPath, overwrite: true);
        using var model = Pretrained.Load(directory.Path);
        var ids = Numbers.Ids(1, 23, 1, 4);
        TensorAssert.Same(expected.call(ids), model.call(ids));
    }

    [Fact]
    public void Load_MissingParts_AreNamed()
    {
        Assert.Throws<DirectoryNotFoundException>(() => Pretrained.Load(directory.File("nowhere")));
        Assert.Contains(
            "config.json",
            Assert.Throws<FileNotFoundException>(() => Pretrained.Load(directory.Path)).Message,
            StringComparison.Ordinal
        );
        SaveTiny("llama");
        File.Delete(WeightsPath);
        Assert.Contains(
            "model.safetensors",
            Assert.Throws<FileNotFoundException>(() => Pretrained.Load(directory.Path)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("no json", "not JSON")]
    [InlineData("[1]", "expected an object")]
    [InlineData("{}", "no field 'model_type'")]
    [InlineData("""{"model_type":5}""", "'model_type' is 5, expected a string")]
    [InlineData("""{"model_type":"mamba"}""", "'mamba', expected one of the supported architectures: llama, gpt2, mistral, qwen2")]
    [InlineData("""{"model_type":"llama"}""", "no field 'vocab_size'")]
    public void Load_BadConfig_IsNamed(string text, string reason)
    {
        directory.Write("config.json", text);
        var message = Refusal();
        Assert.Contains(ConfigPath, message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string, string> BadFields =>
        new()
        {
            { "llama", "hidden_size", "\"16\"", "'hidden_size' is \"16\", expected a positive integer" },
            { "llama", "hidden_size", "-16", "'hidden_size' is -16" },
            { "llama", "hidden_act", "\"tanh\"", "'tanh', expected one of relu, gelu" },
            { "llama", "rope_scaling", """{"rope_type":"llama3"}""", "rope_scaling.factor' is missing, expected a number" },
            { "llama", "rope_theta", "0", "Theta must be a finite number above 0" },
            { "llama", "num_key_value_heads", "3", "must divide Heads" },
            { "llama", "rms_norm_eps", "true", "'rms_norm_eps' is true, expected a finite number" },
            { "llama", "tie_word_embeddings", "1", "expected true or false" },
            { "llama", "tie_word_embeddings", "false", "'lm_head.weight' is missing, expected [23,16]" },
            { "llama", "intermediate_size", "21", "has the shape [20,16], expected [21,16]" },
            { "llama", "vocab_size", "24", "'model.embed_tokens.weight' has the shape [23,16], expected [24,16]" },
            { "llama", "num_hidden_layers", "3", "'model.layers.2.input_layernorm.weight' is missing" },
            { "llama", "num_hidden_layers", "2000000000", "is missing" },
            { "llama", "num_hidden_layers", "1", "'model.layers.1.input_layernorm.weight' [16] is unexpected" },
            { "llama", "attention_bias", "true", "'model.layers.0.self_attn.q_proj.bias' is missing" },
            { "llama", "eos_token_id", "[1,-2]", "expected a token id or a list" },
            { "gpt2", "add_cross_attention", "true", "expected false" },
            { "gpt2", "n_positions", "20", "'transformer.wpe.weight' has the shape [24,16], expected [20,16]" },
            { "gpt2", "n_inner", "60", "'transformer.h.0.mlp.c_fc.weight' has the shape [16,64], expected [16,60]" },
            { "gpt2", "n_head", "5", "Heads must divide HiddenSize" },
        };

    [Theory]
    [MemberData(nameof(BadFields))]
    public void Load_FieldThatDoesNotFit_IsNamed(string name, string field, string value, string reason)
    {
        SaveTiny(name);
        EditConfig(config => config[field] = JsonNode.Parse(value));
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Assert.Contains(reason, Refusal(), StringComparison.Ordinal);
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Save_WhatTransformersDoesNotKnow_IsRefused()
    {
        using var model = Decoder.Create(TinyModels.Llama with { GatedFeedForward = false }, 1);
        var error = Assert.Throws<NotSupportedException>(() => Pretrained.Save(model, directory.Path));
        Assert.Contains("GatedFeedForward is False, expected True", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(directory.Path));
    }
}
