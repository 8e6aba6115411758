using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Vision;
using static TorchSharp.torch;

namespace PostTrain.Tests.Vision;

public sealed class LlavaFilesTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SavedModel_IsLoadedToTheBit(bool tied)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = VisionToy.Model(tied: tied);
        Llava.Save(model, Toy.Tokenizer, folder.Path);
        using var again = Llava.Load(folder.Path);
        Assert.Equal(model.named_parameters().Select(item => item.name), again.named_parameters().Select(item => item.name));
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(again));
        again.Show(VisionToy.Drawn(3));
        var ids = tensor([3, 20, 21, 22, 23, 4], [1, 6], dtype: ScalarType.Int64);
        TensorAssert.Same(model.call(ids), again.call(ids));
        Assert.Equal(Toy.Tokenizer.Encode("a1+"), TokenizerFiles.Load(folder.Path).Encode("a1+"));
        // The names that transformers reads.
        using var file = SafetensorsFile.Open(folder.File("model.safetensors"));
        var names = file.Entries.Select(entry => entry.Name).ToHashSet();
        Assert.Contains("vision_tower.vision_model.encoder.layers.1.self_attn.out_proj.bias", names);
        Assert.Contains("multi_modal_projector.linear_2.weight", names);
        Assert.Equal(!tied, names.Contains("language_model.lm_head.weight"));
    }

    [Fact]
    public void WhatCannotBeSaved_IsRefused_AndNothingIsWritten()
    {
        using var folder = new TemporaryDirectory();
        using var model = VisionToy.Model();
        using var unnamed = new VisionLm(model.Language, model.Encoder, model.Projector);
        var target = folder.File("out");
        Assert.Contains(
            "ImageTokenId is null",
            Assert.Throws<ArgumentException>(() => Llava.Save(unnamed, target)).Message,
            StringComparison.Ordinal
        );
        using var gpt2 = VisionToy.Of(Models.TinyModels.Create("gpt2", ScalarType.Float32), 1, 0);
        Assert.Throws<NotSupportedException>(() => Llava.Save(gpt2, target));
        Assert.False(Directory.Exists(target));
    }

    [Theory]
    [InlineData("model_type", "\"llama\"", "'llava'")]
    [InlineData("text_config", "null", "there is no field 'text_config'")]
    [InlineData("text_config", "3", "an object")]
    [InlineData("vision_config", "{}", "image_size")]
    [InlineData("vision_feature_layer", "9", "FeatureLayers")]
    [InlineData("vision_feature_layer", "[]", "FeatureLayers")]
    [InlineData("vision_feature_layer", "\"x\"", "a whole number or a list")]
    [InlineData("vision_feature_select_strategy", "\"all\"", "'default' or 'full'")]
    [InlineData("projector_hidden_act", "\"sin\"", "one of relu")]
    [InlineData("image_token_index", "null", "image_token_index")]
    [InlineData("multimodal_projector_bias", "false", "is unexpected")]
    public void BrokenConfiguration_IsRefusedByName(string field, string value, string message)
    {
        using var folder = new TemporaryDirectory();
        using (var model = VisionToy.Model())
            Llava.Save(model, folder.Path);
        var path = folder.File("config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config[field] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());
        var error = Assert.Throws<InvalidDataException>(() => Llava.Load(folder.Path));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(folder.Path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HostileSizes_AndTruncatedWeights_AreRefused()
    {
        using var folder = new TemporaryDirectory();
        using (var model = VisionToy.Model())
            Llava.Save(model, folder.Path);
        var path = folder.File("config.json");
        var text = File.ReadAllText(path);
        foreach (
            var (part, field, value) in ((string, string, int)[])
                [
                    ("vision_config", "num_hidden_layers", 1_000_000),
                    ("text_config", "num_hidden_layers", int.MaxValue),
                    ("vision_config", "image_size", 2_000_000_000),
                    ("vision_config", "hidden_size", 16),
                ]
        )
        {
            var config = JsonNode.Parse(text)!.AsObject();
            config[part]![field] = value;
            File.WriteAllText(path, config.ToJsonString());
            Assert.Throws<InvalidDataException>(() => Llava.Load(folder.Path));
        }
        File.WriteAllText(path, text);
        var weights = folder.File("model.safetensors");
        var bytes = File.ReadAllBytes(weights);
        foreach (int length in (int[])[0, 7, 100, bytes.Length / 2, bytes.Length - 1])
        {
            File.WriteAllBytes(weights, bytes[..length]);
            Assert.Throws<InvalidDataException>(() => Llava.Load(folder.Path));
        }
    }
}
