using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>A tensor of a file is read, is judged to say nothing new, or is refused by name.</summary>
public sealed class UnusedTensorsTests : IDisposable
{
    private const string Head = "lm_head.weight";

    private readonly TemporaryDirectory directory = new();

    public static TheoryData<string> Families => TinyModels.Names;

    public void Dispose() => directory.Dispose();

    private string WeightsPath => directory.File("model.safetensors");

    // Rewrites the weights, with an index and two files where they are to be sharded.
    private void Rewrite(Func<Dictionary<string, Tensor>, Dictionary<string, Tensor>> edit, bool sharded = false)
    {
        Dictionary<string, Tensor> tensors;
        using (var file = SafetensorsFile.Open(WeightsPath))
            tensors = edit(file.Entries.ToDictionary(entry => entry.Name, entry => file.Read(entry.Name)));
        if (!sharded)
        {
            SafetensorsFile.Write(WeightsPath, tensors.Select(item => (item.Key, item.Value)));
            return;
        }

        File.Delete(WeightsPath);
        var map = new JsonObject();
        foreach (var (part, i) in tensors.Chunk((tensors.Count + 1) / 2).Select((part, i) => (part, i)))
        {
            var name = $"model-{i + 1:D5}-of-00002.safetensors";
            SafetensorsFile.Write(directory.File(name), part.Select(item => (item.Key, item.Value)));
            foreach (var (key, _) in part)
                map[key] = name;
        }

        File.WriteAllText(
            directory.File("model.safetensors.index.json"),
            new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString()
        );
    }

    private void Add(params (string Name, Tensor Tensor)[] more) =>
        Rewrite(tensors =>
        {
            foreach (var (name, tensor) in more)
                tensors[name] = tensor;
            return tensors;
        });

    private string Refusal() => Assert.Throws<InvalidDataException>(() => Pretrained.Load(directory.Path).Dispose()).Message;

    private void Save(string name) => Save(TinyModels.Config(name));

    private void Save(DecoderConfig config)
    {
        using var model = TinyModels.Create(config with { TiedEmbeddings = true }, ScalarType.Float32);
        Pretrained.Save(model, directory.Path);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void TiedHead_OfTheFile_IsTheEmbedding_OrRefused_OrKeptWhereItIsNotTied(string name)
    {
        foreach (var sharded in new[] { false, true })
        {
            using var scope = NewDisposeScope();
            foreach (var file in Directory.GetFiles(directory.Path))
                File.Delete(file);
            Save(name);
            Tensor? embedding = null;
            Rewrite(tensors =>
            {
                embedding = tensors
                    .Single(item =>
                        item.Key.EndsWith("embed_tokens.weight", StringComparison.Ordinal)
                        || item.Key.EndsWith("wte.weight", StringComparison.Ordinal)
                    )
                    .Value;
                tensors[Head] = embedding.clone();
                return tensors;
            });
            using (var same = Pretrained.Load(directory.Path))
                Assert.True(same.Config.TiedEmbeddings);
            var other = embedding! + 0;
            other[22, 3] += 0.25f;
            Rewrite(
                tensors =>
                {
                    tensors[Head] = other;
                    return tensors;
                },
                sharded
            );
            Assert.Contains($"'{Head}' [23,16] is not '", Refusal(), StringComparison.Ordinal);
            Assert.Contains("tie_word_embeddings", Refusal(), StringComparison.Ordinal);
            var config = JsonNode.Parse(File.ReadAllText(directory.File("config.json")))!.AsObject();
            config["tie_word_embeddings"] = false;
            File.WriteAllText(directory.File("config.json"), config.ToJsonString());
            using var both = Pretrained.Load(directory.Path);
            TensorAssert.Same(other, both.named_parameters().Single(item => item.name == Head).parameter);
            TensorAssert.Same(embedding!, both.TokenEmbeddings);
        }
    }

    [Fact]
    public void TiedHead_OfAnotherShapeOrType_IsComparedInTheTypeThatIsLoaded()
    {
        using var scope = NewDisposeScope();
        Save("llama");
        using var model = Pretrained.Load(directory.Path);
        var rounded = model.TokenEmbeddings.detach().bfloat16();
        Add((Head, rounded));
        Assert.Contains($"'{Head}'", Refusal(), StringComparison.Ordinal);
        Pretrained.Load(directory.Path, ScalarType.BFloat16).Dispose();
        foreach (var wrong in new[] { zeros(24, 16), zeros(16), zeros(23, 16, dtype: ScalarType.Int64) })
        {
            Add((Head, wrong));
            Assert.Contains($"'{Head}'", Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ConstantBuffers_AreLeftOut_WhereTheyAreTheArchitecturesOwn()
    {
        using var scope = NewDisposeScope();
        Save("gpt2");
        Add(
            ("transformer.h.0.attn.bias", ones(24, 24).tril().view(1, 1, 24, 24)),
            ("h.1.attn.bias", ones(24, 24).tril().view(1, 1, 24, 24).to_type(ScalarType.Bool)),
            ("transformer.h.1.attn.masked_bias", tensor(-1e4f))
        );
        Pretrained.Load(directory.Path).Dispose();
        (string Name, Tensor Tensor)[] wrong =
        [
            ("transformer.h.0.attn.bias", zeros(1, 1, 24, 24)),
            ("transformer.h.0.attn.bias", ones(1, 1, 24, 24).triu()),
            ("transformer.h.0.attn.bias", ones(24)),
            ("transformer.h.1.attn.masked_bias", tensor(0f)),
            ("transformer.h.1.attn.masked_bias", ones(2)),
            ("transformer.h.2.attn.masked_bias", tensor(-1e4f)),
            ("transformer.h.0.attn.c_attn.attn.bias", ones(24, 24).tril()),
            ("transformer.rotary_emb.inv_freq", ones(2)),
            ("x.attn.bias", ones(24, 24).tril()),
        ];
        foreach (var (name, values) in wrong)
        {
            Save("gpt2");
            Add((name, values));
            Assert.Contains($"'{name}'", Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void RotaryFrequencies_AreLeftOut_WhereTheyAreTheConfigurations()
    {
        using var scope = NewDisposeScope();
        // θ = 10000 and heads of 4 elements: 1 and 0.01.
        foreach (
            var name in new[]
            {
                "model.layers.1.self_attn.rotary_emb.inv_freq",
                "model.rotary_emb.inv_freq",
                "layers.0.self_attn.rotary_emb.inv_freq",
            }
        )
        {
            Save("llama");
            Add((name, tensor(new[] { 1f, 0.01f })));
            Pretrained.Load(directory.Path).Dispose();
            Add((name, tensor(new[] { 1f, 0.01f }).bfloat16()));
            Pretrained.Load(directory.Path).Dispose();
            Add((name, tensor(new[] { 1f, 0.02f })));
            Assert.Contains($"'{name}' [2] is a constant of the architecture with other values", Refusal(), StringComparison.Ordinal);
        }

        foreach (
            var name in new[]
            {
                "model.layers.2.self_attn.rotary_emb.inv_freq",
                "rotary_emb.sin",
                "model.layers.0.attn.bias",
                "model.layers.0.self_attn.masked_bias",
            }
        )
        {
            Save("llama");
            Add((name, tensor(new[] { 1f, 0.01f })));
            Assert.Contains($"'{name}' [2] is unexpected", Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Heads_AreReadByTheCallsThatKnowThem_AndRefusedByTheOthers()
    {
        using var scope = NewDisposeScope();
        Save("llama");
        Add(("score.weight", ones(2, 16)));
        Assert.Contains(nameof(Pretrained.LoadRewardModel), Refusal(), StringComparison.Ordinal);
        using (var reward = Pretrained.LoadRewardModel(directory.Path))
            Assert.Equal(2, reward.Labels);
        foreach (
            var (name, values) in new[]
            {
                (Head, ones(23, 16)),
                ("v_head.summary.weight", ones(1, 16)),
                ("classifier.weight", ones(2, 16)),
                ("score.dense.weight", ones(2, 16)),
            }
        )
        {
            Save("llama");
            Add(("score.weight", ones(2, 16)), (name, values));
            Assert.Contains(
                $"'{name}'",
                Assert.Throws<InvalidDataException>(() => Pretrained.LoadRewardModel(directory.Path)).Message,
                StringComparison.Ordinal
            );
        }

        using var policy = TinyModels.Create("llama", ScalarType.Float32);
        foreach (var (name, values) in new[] { ("v_head.summary2.weight", ones(1, 16)), ("v_head.weight", ones(1, 16)) })
        {
            Save("llama");
            Add(("v_head.summary.weight", ones(1, 16)), ("v_head.summary.bias", ones(1)), (name, values));
            Assert.Contains($"'{name}'", Refusal(), StringComparison.Ordinal);
            Assert.Contains(
                $"'{name}'",
                Assert.Throws<InvalidDataException>(() => Pretrained.LoadCritic(directory.Path)).Message,
                StringComparison.Ordinal
            );
            Assert.Contains(
                $"'{name}'",
                Assert.Throws<InvalidDataException>(() => Pretrained.LoadValueHead(directory.Path, policy)).Message,
                StringComparison.Ordinal
            );
        }

        Save("llama");
        Add(("v_head.summary.weight", ones(2, 16)));
        Assert.Contains("'v_head.summary.weight' [2,16]", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj.bias")]
    [InlineData("model.layers.0.self_attn.q_norm.weight")]
    [InlineData("model.layers.0.mlp.gate_proj.weight.absmax")]
    [InlineData("embed_tokens.weight")]
    [InlineData("model.norm.bias")]
    [InlineData("anything")]
    public void AnythingElse_IsNamed(string name)
    {
        using var scope = NewDisposeScope();
        Save("llama");
        Add((name, ones(16)));
        Assert.Contains($"'{name}' [16] is unexpected", Refusal(), StringComparison.Ordinal);
        Rewrite(tensors => tensors, sharded: true);
        Assert.Contains($"'{name}' [16] is unexpected", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sft", "model.safetensors")]
    [InlineData("sft", "optimizer.safetensors")]
    [InlineData("sft", "trainer.safetensors")]
    [InlineData("grpo", "trainer.safetensors")]
    public async Task TrainingCheckpoint_WithATensorOfNobody_IsRefused(string trainer, string file)
    {
        using var model = Toy.Model();
        await TrainedRuns.Run(trainer, model, directory.Path);
        var checkpoint = Directory.GetDirectories(directory.Path).Order().First();
        var path = Path.Combine(checkpoint, file);
        List<(string, Tensor)> tensors = [("nobody.first_moment", ones(3))];
        if (File.Exists(path))
        {
            using var old = SafetensorsFile.Open(path);
            tensors.AddRange(old.Entries.Select(entry => (entry.Name, old.Read(entry.Name))));
        }

        SafetensorsFile.Write(path, tensors);
        using var other = Toy.Model();
        var error = await Assert.ThrowsAsync<InvalidDataException>(() =>
            TrainedRuns.Run(trainer, other, directory.File("rest"), resume: checkpoint)
        );
        Assert.Contains("nobody.first_moment", error.Message, StringComparison.Ordinal);
        foreach (var (_, tensor) in tensors)
            tensor.Dispose();
    }
}
