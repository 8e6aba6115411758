using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models.Gguf;

/// <summary>Models that are written, models that are refused, and what is left of a run that ends early.</summary>
public sealed class GgufExportTests : IDisposable
{
    private readonly DisposeScope scope = NewDisposeScope();
    private readonly TemporaryDirectory folder = new();

    public void Dispose()
    {
        scope.Dispose();
        folder.Dispose();
    }

    private string Save(DecoderConfig config, string name = "model")
    {
        using var model = TinyModels.Create(config, ScalarType.Float32);
        Pretrained.Save(model, folder.File(name));
        new CharacterTokenizer("abcdefghij").Save(folder.File(name));
        return folder.File(name);
    }

    private static DecoderConfig Llama => TinyModels.Config("llama") with { Attention = [new AttentionSpec()] };

    private void Refused<T>(string directory, string expected, GgufExportOptions? options = null)
        where T : Exception
    {
        var message = Assert.ThrowsAny<T>(() => GgufExport.Write(directory, folder.File("out.gguf"), options)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("out.gguf")));
        Assert.Empty(Directory.GetFiles(folder.Path, ".*"));
    }

    [Fact]
    public void WhatLlamaCppDoesNotCompute_IsRefusedByName()
    {
        AttentionSpec Rope(RotaryScaling scaling) => new() { Rotary = new RotarySpec { Scaling = scaling } };
        Refused<NotSupportedException>(Save(Llama with { Activation = Activation.GeluTanh }, "gelu"), "activation is GeluTanh");
        Refused<NotSupportedException>(Save(Llama with { Attention = [Rope(new DynamicScaling(2, 12))] }, "dynamic"), "DynamicScaling");
        Refused<NotSupportedException>(
            Save(
                Llama with
                {
                    ModelType = "qwen2",
                    AttentionBias = true,
                    AttentionOutputBias = false,
                    Attention = [Rope(new Llama3Scaling(4, 1, 4, 8))],
                },
                "qwen"
            ),
            "Llama3Scaling"
        );
        var window = Llama with { ModelType = "mistral", Attention = [new AttentionSpec { Window = 4 }] };
        Refused<NotSupportedException>(Save(window, "window"), "sliding window of 4");
        GgufExport.Write(folder.File("window"), folder.File("allowed.gguf"), new GgufExportOptions { AllowDifferences = true });
        Refused<NotSupportedException>(Save(TinyModels.Config("gemma2"), "gemma2"), "scale of the scores");
    }

    [Fact]
    public void WrongDirectories_AreRefusedByName()
    {
        Refused<DirectoryNotFoundException>(folder.File("none"), "none");
        var model = Save(Llama);
        File.Delete(Path.Combine(model, CharacterTokenizer.FileName));
        Refused<FileNotFoundException>(model, "no tokenizer");
        GgufExport.Write(model, folder.File("bare.gguf"), new GgufExportOptions { Vocabulary = false });
        using (var bare = GgufFile.Open(folder.File("bare.gguf")))
            Assert.DoesNotContain(bare.Metadata.Keys, key => key.StartsWith("tokenizer", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(model, GreedyTokenizer.FileName), "a\nb\n");
        Refused<NotSupportedException>(model, "longest match");
        new CharacterTokenizer(string.Concat(Enumerable.Range(0, 200).Select(i => (char)(0x4E00 + i)))).Save(model);
        Refused<InvalidDataException>(model, "202 tokens");
        Refused<ArgumentOutOfRangeException>(model, "Type", new GgufExportOptions { Type = GgufType.Q5_K });

        var lacking = Save(Llama, "lacking");
        using (var file = SafetensorsFile.Open(Path.Combine(lacking, "model.safetensors")))
            SafetensorsFile.Write(
                folder.File("part.safetensors"),
                file.Entries.Where(entry => !entry.Name.Contains("up_proj", StringComparison.Ordinal))
                    .Select(entry => (entry.Name, file.Read(entry.Name)))
                    .ToList()
            );
        File.Move(folder.File("part.safetensors"), Path.Combine(lacking, "model.safetensors"), overwrite: true);
        Refused<InvalidDataException>(lacking, "up_proj.weight' is missing");
    }

    [Fact]
    public void Stopping_LeavesTheOldFile_AndProgressCounts()
    {
        var model = Save(Llama);
        var path = folder.File("out.gguf");
        var seen = new List<ExportProgress>();
        GgufExport.Write(model, path, progress: new Immediate(seen.Add));
        Assert.Equal(Enumerable.Range(1, seen.Count), seen.Select(item => item.Written));
        var before = File.ReadAllBytes(path);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() =>
            GgufExport.Write(
                model,
                path,
                new GgufExportOptions { Type = GgufType.F32 },
                new Immediate(item =>
                {
                    if (item.Written == 4)
                        stop.Cancel();
                }),
                stop.Token
            )
        );
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Empty(Directory.GetFiles(folder.Path, ".*"));
    }

    [Fact]
    public void Tensors_AreMadeOneByOne()
    {
        var model = Save(Llama);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        GgufExport.Write(
            model,
            folder.File("out.gguf"),
            progress: new Immediate(_ =>
                Assert.InRange(DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount - before, 0, 1)
            )
        );
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void AdaptersBeyondLora_AreRefusedByName()
    {
        var model = Save(Llama);
        void Adapter(string expected, AdapterOptions options)
        {
            using var decoder = Pretrained.Load(model);
            using var adapted = AdaptedModel.Attach(decoder, options);
            adapted.Save(folder.File("adapter"));
            var message = Assert
                .Throws<NotSupportedException>(() => GgufAdapter.Write(folder.File("adapter"), model, folder.File("a.gguf")))
                .Message;
            Assert.Contains(expected, message, StringComparison.Ordinal);
            Assert.False(File.Exists(folder.File("a.gguf")));
        }

        Adapter("DoRA", new LoraOptions { Targets = ModuleSelection.AllLinear, WeightDecomposed = true });
        Adapter("LOHA", new LohaOptions { Targets = ModuleSelection.AllLinear });
        Adapter(
            "tokens",
            new LoraOptions
            {
                Targets = ModuleSelection.AllLinear,
                Tokens = new TrainableTokens { Ids = [1] },
            }
        );
        Adapter("embed_tokens", new LoraOptions { Targets = ModuleSelection.Named("embed_tokens") });
        using (var decoder = Pretrained.Load(model))
        using (var adapted = AdaptedModel.Attach(decoder, new LoraOptions { Targets = ModuleSelection.AllLinear }))
        {
            adapted.Save(folder.File("fits"));
            Assert.Throws<ArgumentException>(() => GgufExport.Write(decoder, model, folder.File("b.gguf")));
        }

        var other = Save(Llama with { FeedForwardSize = 40 }, "other");
        Assert.Throws<InvalidDataException>(() => GgufAdapter.Write(folder.File("fits"), other, folder.File("a.gguf")));
        GgufAdapter.Write(folder.File("fits"), model, folder.File("a.gguf"));
        using var file = GgufFile.Open(folder.File("a.gguf"));
        Assert.Equal("lora", file.Metadata["adapter.type"]);
        Assert.All(file.Tensors, tensor => Assert.Matches(@"^blk\.\d+\.(attn|ffn)_\w+\.weight\.lora_[ab]$", tensor.Name));
    }

    private sealed class Immediate(Action<ExportProgress> action) : IProgress<ExportProgress>
    {
        public void Report(ExportProgress value) => action(value);
    }
}
