using PostTrain.Merging;
using PostTrain.Models;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Merging;

/// <summary>Whole directories merged into one.</summary>
public sealed class ModelMergerTests : IDisposable
{
    private readonly DisposeScope scope = NewDisposeScope();
    private readonly TemporaryDirectory folder = new();

    public void Dispose()
    {
        scope.Dispose();
        folder.Dispose();
    }

    private static DecoderConfig Config(int layers = 3) =>
        TinyModels.Config("llama") with
        {
            Layers = layers,
            TiedEmbeddings = false,
            Attention = [new AttentionSpec()],
        };

    private string Save(
        string name,
        ulong seed,
        DecoderConfig? config = null,
        ScalarType type = ScalarType.Float64,
        string? alphabet = null
    )
    {
        using var model = Decoder.Create(config ?? Config(), seed, type);
        using (no_grad())
        {
            foreach (var parameter in model.parameters())
                parameter.mul_(parameter.Dimensions == 2 ? 10 : 1);
        }

        Pretrained.Save(model, folder.File(name));
        if (alphabet is not null)
            new CharacterTokenizer(alphabet).Save(folder.File(name));
        return folder.File(name);
    }

    private static Dictionary<string, Tensor> Tensors(string directory)
    {
        using var file = SafetensorsFile.Open(Path.Combine(directory, "model.safetensors"));
        return file.Entries.ToDictionary(entry => entry.Name, entry => file.Read(entry.Name));
    }

    [Fact]
    public void Linear_IsTheMeanOfAllTensors_AndRunsAsAModel()
    {
        var (a, b) = (Save("a", 1), Save("b", 2));
        File.WriteAllText(Path.Combine(a, "generation_config.json"), "{\"eos_token_id\": 3}");
        ModelMerger.Run(new MergeConfig { Method = MergeMethod.Linear, Models = [new(a), new(b)] }, folder.File("out"));
        var (first, second, merged) = (Tensors(a), Tensors(b), Tensors(folder.File("out")));
        Assert.Equal(first.Keys.Order(), merged.Keys.Order());
        Assert.All(merged, item => TensorAssert.Close((first[item.Key] + second[item.Key]) / 2, item.Value, 1e-12, item.Key));
        using var model = Pretrained.Load(folder.File("out"));
        Assert.Equal(Config().Layers, model.Config.Layers);
        Assert.Equal("{\"eos_token_id\": 3}", File.ReadAllText(Path.Combine(folder.File("out"), "generation_config.json")));
        Assert.Equal(["a", "b", "out"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void MergeOfOneModelWithItself_IsThatModel_ToTheBit()
    {
        var a = Save("a", 1, type: ScalarType.BFloat16);
        var before = Tensors(a);
        foreach (var method in (MergeMethod[])[MergeMethod.Linear, MergeMethod.Ties, MergeMethod.Slerp, MergeMethod.Karcher])
        {
            var config = new MergeConfig
            {
                Method = method,
                Models =
                    method == MergeMethod.Slerp
                        ? [new(Save("b", 1, type: ScalarType.BFloat16))]
                        : [new(Save("b", 1, type: ScalarType.BFloat16)), new(Save("c", 1, type: ScalarType.BFloat16))],
                Base = a,
                Parameters = new MergeParameters { T = 0.4 },
            };
            ModelMerger.Run(config, folder.File("out"), new MergeOptions { Overwrite = true });
            Assert.All(
                Tensors(folder.File("out")),
                item =>
                {
                    Assert.Equal(ScalarType.BFloat16, item.Value.dtype);
                    TensorAssert.Same(
                        before[item.Key].to_type(ScalarType.Float64),
                        item.Value.to_type(ScalarType.Float64),
                        $"{method} {item.Key}"
                    );
                }
            );
        }
    }

    [Fact]
    public void YamlConfiguration_IsTheFunctionsOnEachTensor()
    {
        var (a, b, origin) = (Save("a", 1), Save("b", 2), Save("base", 3));
        var path = folder.Write(
            "merge.yml",
            """
            merge_method: slerp
            base_model: base
            models: [{model: base}, {model: a}]
            parameters:
              t:
                - filter: mlp
                  value: [0, 0.5, 1]
                - value: 0.2
            """
        );
        ModelMerger.Run(MergeConfig.Load(path), folder.File("out"));
        var (start, end, merged) = (Tensors(origin), Tensors(a), Tensors(folder.File("out")));
        foreach (var (name, value) in merged)
        {
            // Three layers: positions 0, ½, 1.
            var t = name.Contains("mlp", StringComparison.Ordinal) ? (name.Split('.')[2][0] - '0') / 2.0 : 0.2;
            TensorAssert.Close(SphericalMerge.Slerp(start[name], end[name], t), value, 1e-12, name);
        }

        var ties = folder.Write(
            "ties.yml",
            $"merge_method: ties\nbase_model: base\nmodels: [{{model: a, parameters: {{weight: 1, density: 0.5}}}}, "
                + $"{{model: b, parameters: {{weight: 0.3, density: 0.8}}}}]"
        );
        ModelMerger.Run(MergeConfig.Load(ties), folder.File("ties"));
        var other = Tensors(b);
        foreach (var (name, value) in Tensors(folder.File("ties")))
        {
            Tensor[] deltas =
            [
                PostTrain.Adapters.TaskVectors.PruneByMagnitude(end[name] - start[name], 0.5),
                PostTrain.Adapters.TaskVectors.PruneByMagnitude(other[name] - start[name], 0.8),
            ];
            TensorAssert.Close(
                LinearMerge.Combine(start[name], deltas, [1, 0.3], PostTrain.Adapters.MajoritySign.Total, normalize: true),
                value,
                1e-12,
                name
            );
        }
    }

    [Fact]
    public void Passthrough_StacksLayers()
    {
        var (a, b) = (Save("a", 1), Save("b", 2));
        var config = new MergeConfig
        {
            Method = MergeMethod.Passthrough,
            Slices =
            [
                new([new(a) { Layers = (0, 2) }]),
                new([new(b) { Layers = (1, 3) }]),
                new([new(a) { Layers = (1, 2) }]) { Parameters = new MergeParameters { Scale = LayerSetting.ByName(("down_proj", 0)) } },
            ],
        };
        ModelMerger.Run(config, folder.File("out"));
        var (first, second, merged) = (Tensors(a), Tensors(b), Tensors(folder.File("out")));
        (Dictionary<string, Tensor> From, int Layer)[] origins = [(first, 0), (first, 1), (second, 1), (second, 2), (first, 1)];
        const string part = "self_attn.q_proj.weight";
        for (var layer = 0; layer < origins.Length; layer++)
            TensorAssert.Same(origins[layer].From[$"model.layers.{origins[layer].Layer}.{part}"], merged[$"model.layers.{layer}.{part}"]);
        TensorAssert.Zero(merged["model.layers.4.mlp.down_proj.weight"]);
        Assert.DoesNotContain("model.layers.5." + part, merged.Keys);
        TensorAssert.Same(first["model.embed_tokens.weight"], merged["model.embed_tokens.weight"]);
        using var model = Pretrained.Load(folder.File("out"));
        Assert.Equal(5, model.Config.Layers);
    }

    [Fact]
    public void Memory_IsThatOfOneTensorAModel_WhateverTheModelsSize()
    {
        long Peak(int layers)
        {
            var (a, b) = (Save($"a{layers}", 1, Config(layers)), Save($"b{layers}", 2, Config(layers)));
            long most = 0;
            var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
            var method = MergeMethod.Of(
                "watched",
                inputs =>
                {
                    most = Math.Max(most, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount - before);
                    return LinearMerge.Average(inputs.Tensors, [1, 1]);
                }
            );
            ModelMerger.Run(new MergeConfig { Method = method, Models = [new(a), new(b)] }, folder.File($"out{layers}"));
            Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
            return most;
        }

        var small = Peak(2);
        Assert.Equal(small, Peak(9));
        // The two tensors, and the buffer of each file that converts.
        Assert.InRange(small, 2, 4);
    }

    [Fact]
    public void ProgressCountsTensors_AndStoppingLeavesNothing()
    {
        var (a, b) = (Save("a", 1), Save("b", 2));
        var seen = new List<MergeProgress>();
        using var stop = new CancellationTokenSource();
        var config = new MergeConfig { Method = MergeMethod.Linear, Models = [new(a), new(b)] };
        ModelMerger.Run(config, folder.File("out"), null, new Immediate(seen.Add));
        Assert.Equal(Enumerable.Range(1, seen.Count), seen.Select(item => item.Written));
        Assert.Equal(Tensors(a).Keys.Order(), seen.Select(item => item.Name).Order());
        Assert.All(seen, item => Assert.Equal(seen.Count, item.Total));
        Assert.Throws<OperationCanceledException>(() =>
            ModelMerger.Run(
                config,
                folder.File("stopped"),
                null,
                new Immediate(item =>
                {
                    if (item.Written == 3)
                        stop.Cancel();
                }),
                stop.Token
            )
        );
        // A method that fails leaves nothing either, and what was there stays.
        var failing = config with
        {
            Method = MergeMethod.Of(
                "failing",
                inputs =>
                    inputs.Name.Contains("norm", StringComparison.Ordinal) ? throw new ArithmeticException("no") : inputs.Tensors[0].clone()
            ),
        };
        var before = File.ReadAllBytes(Path.Combine(folder.File("out"), "model.safetensors"));
        Assert.Throws<ArithmeticException>(() => ModelMerger.Run(failing, folder.File("out"), new MergeOptions { Overwrite = true }));
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(folder.File("out"), "model.safetensors")));
        Assert.Equal(["a", "b", "out"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order());
        Assert.Throws<IOException>(() => ModelMerger.Run(config, folder.File("out")));
    }

    [Fact]
    public void Shards_GiveTheSameModel()
    {
        var (a, b) = (Save("a", 1), Save("b", 2));
        var config = new MergeConfig
        {
            Method = MergeMethod.Linear,
            Models = [new(a), new(b)],
            Type = ScalarType.Float32,
        };
        ModelMerger.Run(config, folder.File("whole"));
        ModelMerger.Run(config, folder.File("shards"), new MergeOptions { MaxShardBytes = 4000 });
        Assert.True(Directory.GetFiles(folder.File("shards"), "model-*.safetensors").Length > 2);
        using var whole = Pretrained.Load(folder.File("whole"));
        using var shards = Pretrained.Load(folder.File("shards"));
        Assert.Equal(Toy.Bytes(whole), Toy.Bytes(shards));
        Assert.Equal(ScalarType.Float32, whole.TokenEmbeddings.dtype);
    }

    [Fact]
    public void Statistics_WeightTheirModels()
    {
        var (a, b) = (Save("a", 1), Save("b", 2));
        var names = Tensors(a);
        string Statistics(string file, double value, bool grams)
        {
            var tensors = names
                .Where(item => !grams || item.Key.Contains("up_proj", StringComparison.Ordinal))
                .Select(item =>
                    (item.Key, grams ? eye(item.Value.size(1), dtype: ScalarType.Float64) * value : full_like(item.Value, value))
                );
            SafetensorsFile.Write(folder.File(file), tensors);
            return folder.File(file);
        }

        MergeConfig With(MergeMethod method, bool grams) =>
            new()
            {
                Method = method,
                Models = [new(a) { Statistics = Statistics("fa", 3, grams) }, new(b) { Statistics = Statistics("fb", 1, grams) }],
            };
        var other = Tensors(b);
        ModelMerger.Run(With(MergeMethod.Fisher, false), folder.File("fisher"));
        Assert.All(
            Tensors(folder.File("fisher")),
            item => TensorAssert.Close(names[item.Key] * 0.75 + other[item.Key] * 0.25, item.Value, 1e-9)
        );
        ModelMerger.Run(With(MergeMethod.RegMean, true), folder.File("regmean"));
        foreach (var (name, value) in Tensors(folder.File("regmean")))
        {
            var share = name.Contains("up_proj", StringComparison.Ordinal) ? 0.75 : 0.5;
            TensorAssert.Close(names[name] * share + other[name] * (1 - share), value, 1e-9, name);
        }

        Assert.Throws<InvalidDataException>(() => ModelMerger.Run(With(MergeMethod.Fisher, true), folder.File("none")));
    }

    [Fact]
    public void ModelsThatDoNotFit_AreRefusedByName()
    {
        var a = Save("a", 1, alphabet: "abcdefghijk");
        var longer = Save("longer", 2, Config(layers: 4));
        var wider = Save("wider", 3, Config() with { FeedForwardSize = 40 });
        var tied = Save("tied", 4, Config() with { TiedEmbeddings = true });
        var others = Save("others", 5, alphabet: "abcdefghijl");
        void Refused<T>(string other, string expected, MergeMethod? method = null)
            where T : Exception
        {
            var config = new MergeConfig { Method = method ?? MergeMethod.Linear, Models = [new(Save("plain", 9)), new(other)] };
            var message = Assert.Throws<T>(() => ModelMerger.Run(config, folder.File("out"))).Message;
            Assert.Contains(expected, message, StringComparison.Ordinal);
        }

        Refused<InvalidDataException>(longer, "4 layers");
        Refused<InvalidDataException>(wider, "intermediate_size 40");
        Refused<InvalidDataException>(tied, "lm_head.weight");
        Refused<DirectoryNotFoundException>(folder.File("missing"), "missing");
        Refused<ArgumentException>(longer.Replace("longer", "a", StringComparison.Ordinal), "needs a base model", MergeMethod.Ties);
        var tokens = new MergeConfig { Method = MergeMethod.Linear, Models = [new(a), new(others)] };
        Assert.Contains(
            "the id 12 is 'l' there and 'k' here",
            Assert.Throws<NotSupportedException>(() => ModelMerger.Run(tokens, folder.File("out"))).Message,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(folder.File("out")));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path, ".*"));
        Assert.Throws<ArgumentException>(() => ModelMerger.Run(new MergeConfig { Method = MergeMethod.Linear }, folder.File("out")));
    }

    /// <summary>Reports in the caller's thread.</summary>
    private sealed class Immediate(Action<MergeProgress> action) : IProgress<MergeProgress>
    {
        public void Report(MergeProgress value) => action(value);
    }
}
