using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class AdaptedModelTests
{
    public static TheoryData<string> Methods => AdapterModels.Names;

    [Theory]
    [MemberData(nameof(Methods))]
    public void Attach_AtTheStart_ChangesNoBit(string method)
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids();
        var plain = AdapterModels.Bytes(AdapterModels.Logits(model, ids));
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods[method]);
        Assert.Equal(plain, AdapterModels.Bytes(AdapterModels.Logits(model, ids)));
        Assert.Equal(plain, AdapterModels.Bytes(model.call(ids)));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Merge_GivesTheAdaptersLogits_AndUnmergeTheBasesBits(string method)
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids();
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods[method]);
        var plain = AdapterModels.Logits(model, ids);
        AdapterModels.Randomize(adapted);
        var with = AdapterModels.Logits(model, ids);
        Assert.True((with - plain).abs().max().ToDouble() > 1e-3);
        var bytes = Toy.Bytes(model);

        adapted.Merge();
        TensorAssert.Close(with, AdapterModels.Logits(model, ids), 1e-12, "merged");
        Assert.Throws<InvalidOperationException>(adapted.Merge);
        Assert.Throws<InvalidOperationException>(adapted.Disabled);
        adapted.Unmerge();
        Assert.Equal(bytes, Toy.Bytes(model));
        TensorAssert.Same(with, AdapterModels.Logits(model, ids), "unmerged");
        using (adapted.Disabled())
        using (adapted.Disabled())
            TensorAssert.Same(plain, AdapterModels.Logits(model, ids), "disabled");
        TensorAssert.Same(with, AdapterModels.Logits(model, ids), "enabled again");
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Backward_ReachesTheAdaptersOnly_AndIsTheDifferenceQuotient(string method)
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var before = Toy.Bytes(model);
        var ids = AdapterModels.Ids(2, 4);
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods[method]);
        AdapterModels.Randomize(adapted);
        var weights = Numbers.Uniform(9, 1, 2, 4, 23);
        Tensor Objective() => (model.call(ids).log_softmax(-1) * weights).sum();
        Objective().backward();
        Assert.All(adapted.TrainableParameters, item => Assert.StartsWith("adapters.", item.Name, StringComparison.Ordinal));
        foreach (var (name, parameter) in model.named_parameters())
            Assert.Equal(adapted.TrainableParameters.Any(item => item.Name == name), parameter.grad is not null);
        // DoRA's norm is held fixed in the gradient, which a difference quotient is not.
        if (adapted.Options("default") is LoraOptions { WeightDecomposed: true })
            return;
        using var mode = no_grad();
        foreach (var (name, parameter) in adapted.TrainableParameters)
        {
            var direction = Numbers.Uniform(4, 1, parameter.shape);
            var slope = (parameter.grad! * direction).sum().ToDouble();
            parameter.add_(direction * 1e-5);
            var up = Objective().ToDouble();
            parameter.sub_(direction * 2e-5);
            var down = Objective().ToDouble();
            parameter.add_(direction * 1e-5);
            Assert.True(
                Math.Abs(slope - (up - down) / 2e-5) <= 1e-6 * (1 + Math.Abs(slope)),
                $"{name}: gradient {slope}, differences give {(up - down) / 2e-5}"
            );
        }
        adapted.Dispose();
        Assert.Equal(before, Toy.Bytes(model));
        Assert.All(model.parameters(), parameter => Assert.True(parameter.requires_grad));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void ForRows_GivesEachRowWhatItGetsAlone(string method)
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids(4);
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods[method], "a");
        adapted.Add("b", AdapterModels.Methods[method], seed: 3);
        AdapterModels.Randomize(adapted);
        adapted.Activate("b");
        AdapterModels.Randomize(adapted, seed: 40);
        string?[] rows = ["b", null, "a", "b"];
        Tensor mixed;
        using (adapted.ForRows(rows))
            mixed = AdapterModels.Logits(model, ids);
        for (var row = 0; row < rows.Length; row++)
        {
            adapted.Activate(rows[row] is { } name ? [name] : []);
            TensorAssert.Close(AdapterModels.Logits(model, ids.narrow(0, row, 1)), mixed.narrow(0, row, 1), 1e-12, $"row {row}");
        }
        using (adapted.ForRows("a", "b"))
            Assert.Contains(
                "4",
                Assert.Throws<ArgumentException>(() => AdapterModels.Logits(model, ids)).Message,
                StringComparison.Ordinal
            );
        Assert.Throws<ArgumentException>(() => adapted.ForRows("c"));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Save_ThenLoad_GivesTheSameBits(string method)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids();
        Tensor with;
        using (var adapted = AdaptedModel.Attach(model, AdapterModels.Methods[method] with { BaseModel = "tiny" }))
        {
            AdapterModels.Randomize(adapted);
            with = AdapterModels.Logits(model, ids);
            adapted.Save(folder.File("one"));
        }
        using var loaded = AdaptedModel.Load(model, folder.File("one"));
        TensorAssert.Same(with, AdapterModels.Logits(model, ids), "loaded");
        loaded.Save(folder.File("two"), "default");
        foreach (var name in new[] { "adapter_config.json", "adapter_model.safetensors" })
            Assert.Equal(File.ReadAllBytes(folder.File($"one/{name}")), File.ReadAllBytes(folder.File($"two/{name}")));
        Assert.Equal("tiny", loaded.Options("default").BaseModel);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Forward_LeavesExactlyItsResultAlive(string method)
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        var ids = AdapterModels.Ids();
        // The decoder keeps its causal mask and rotary tables.
        AdapterModels.Logits(model, ids).Dispose();
        long before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        using (var adapted = AdaptedModel.Attach(model, AdapterModels.Methods[method]))
        {
            AdapterModels.Randomize(adapted);
            Ownership.Check(() => [AdapterModels.Logits(model, ids)], ids);
            Ownership.Check(() => [model.call(ids)], ids);
            Ownership.Check(
                () =>
                {
                    using var rows = adapted.ForRows("default", null, "default");
                    return [AdapterModels.Logits(model, ids)];
                },
                ids
            );
            adapted.Merge();
            adapted.Unmerge();
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Names_InTheTree_AreBelowAdapters_AndLeaveWithThem()
    {
        using var model = AdapterModels.Llama();
        var names = model.named_parameters().Select(item => item.name).ToArray();
        using (var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ["layers.1.self_attn.q_proj"], Rank = 2 }))
        {
            Assert.Equal(
                [
                    "adapters.default.model.layers.1.self_attn.q_proj.lora.lora_A",
                    "adapters.default.model.layers.1.self_attn.q_proj.lora.lora_B",
                ],
                adapted.TrainableParameters.Select(item => item.Name)
            );
            Assert.Equal(2 * (16 + 16), adapted.TrainableCount);
            Assert.Equal(names.Length + 2, model.named_parameters().Count());
            Assert.Throws<ArgumentException>(() => AdaptedModel.Attach(model, new LoraOptions { Targets = ["q_proj"] }));
        }
        Assert.Equal(names, model.named_parameters().Select(item => item.name));
        using var again = AdaptedModel.Attach(model, new LoraOptions { Targets = ["q_proj"] });
        again.Remove("default");
        Assert.Empty(again.TrainableParameters);
    }

    [Fact]
    public void Active_SeveralLoras_AddUp()
    {
        using var scope = NewDisposeScope();
        var layer = nn.Linear(5, 4, dtype: ScalarType.Float64);
        using var model = nn.Sequential(("first", layer));
        var x = Numbers.Uniform(1, 1, 3, 5);
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["first"],
                Rank = 2,
                Alpha = 4,
            },
            "a"
        );
        adapted.Add(
            "b",
            new LoraOptions
            {
                Targets = ["first"],
                Rank = 1,
                Alpha = 3,
            },
            seed: 5
        );
        adapted.Activate("a", "b");
        AdapterModels.Randomize(adapted);
        var p = adapted.TrainableParameters.ToDictionary(item => item.Name["adapters.".Length..], item => item.Parameter);
        var delta =
            p["a.first.lora.lora_B"].matmul(p["a.first.lora.lora_A"]) * 2 + p["b.first.lora.lora_B"].matmul(p["b.first.lora.lora_A"]) * 3;
        TensorAssert.Close(x.matmul((layer.weight! + delta).t()) + layer.bias!, model.call(x), 1e-14);
    }

    // TorchSharp's Sequential lists only the layers that it was made of.
    [Fact]
    public void Sequential_AsRoot_TrainsItsAdapters_FollowsItsMode_AndIsLeftAsItWas()
    {
        using var scope = NewDisposeScope();
        var layer = nn.Linear(5, 4, dtype: ScalarType.Float64);
        using var model = nn.Sequential(("first", layer), ("second", nn.Linear(4, 2, dtype: ScalarType.Float64)));
        var x = Numbers.Uniform(1, 1, 3, 5);
        using (
            var adapted = AdaptedModel.Attach(
                model,
                new LoraOptions
                {
                    Targets = ["first"],
                    Rank = 2,
                    Alpha = 4,
                    Dropout = 0.5,
                }
            )
        )
        {
            Assert.Equal(
                ["adapters.default.first.lora.lora_A", "adapters.default.first.lora.lora_B"],
                adapted.TrainableParameters.Select(item => item.Name)
            );
            Assert.Equal(2 * (5 + 4), adapted.TrainableCount);
            Assert.Equal(24 + 10 + 18, adapted.TotalCount);
            Assert.Throws<ArgumentException>(() => AdaptedModel.Attach(model, new LoraOptions { Targets = ["first"] }));
            AdapterModels.Randomize(adapted, scale: 1);
            model.eval();
            TensorAssert.Same(model.call(x), model.call(x), "evaluation drops nothing");
            model.train();
            Assert.NotEqual(Numbers.Values(model.call(x)), Numbers.Values(model.call(x)));
            model.call(x).sum().backward();
            Assert.All(adapted.TrainableParameters, item => Assert.NotNull(item.Parameter.grad));
        }

        Assert.All(model.parameters(), parameter => Assert.True(parameter.requires_grad));
        using var again = AdaptedModel.Attach(model, new LoraOptions { Targets = ["second"], Rank = 1 });
        Assert.Equal(4 + 2, again.TrainableCount);
    }

    [Fact]
    public void Generate_WithCache_ScoresAsTraining_AndAsMerged()
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama();
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods["lora-all-linear"]);
        AdapterModels.Randomize(adapted);
        model.eval();
        int[][] prompts =
        [
            [1, 4, 2],
            [7],
        ];
        var options = new SamplingOptions { MaxNewTokens = 6 };
        using var drawn = Sampler.Generate(model, prompts, options, seed: 3, paddingId: 0);
        using var scores = no_grad();
        TensorAssert.Close(
            CompletionScores.Of(model, drawn.Rows(0, 2), options).LogProbs * drawn.CompletionMask,
            drawn.LogProbs * drawn.CompletionMask,
            1e-10,
            "log-probs"
        );
        adapted.Merge();
        using var merged = Sampler.Generate(model, prompts, options, seed: 3, paddingId: 0);
        TensorAssert.Same(drawn.Ids, merged.Ids, "tokens");
    }

    [Fact]
    public void Tied_Merge_IsRefused_ButTrainedTokensActOnBothSides()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2");
        Assert.True(model.Config.TiedEmbeddings);
        var ids = AdapterModels.Ids();
        var bytes = Toy.Bytes(model);
        using (var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ["wte"], Rank = 2 }))
        {
            AdapterModels.Randomize(adapted);
            Assert.Contains("tied", Assert.Throws<InvalidOperationException>(adapted.Merge).Message, StringComparison.Ordinal);
        }
        Assert.Equal(bytes, Toy.Bytes(model));
        using var tokens = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["c_attn", "lm_head"],
                Exclude = ["lm_head"],
                Rank = 2,
                Tokens = TrainableTokens.Of((int)ids[0, 0].ToInt64()),
            }
        );
        AdapterModels.Randomize(tokens);
        var with = AdapterModels.Logits(model, ids);
        tokens.Merge();
        TensorAssert.Close(with, AdapterModels.Logits(model, ids), 1e-12, "merged");
        tokens.Unmerge();
        Assert.Equal(bytes, Toy.Bytes(model).AsSpan(0, bytes.Length).ToArray());
    }

    [Fact]
    public void Options_ThatDoNotFit_SaySo()
    {
        using var model = AdapterModels.Llama();
        void Refuses(AdapterOptions options, string expected) =>
            Assert.Contains(
                expected,
                Assert.ThrowsAny<ArgumentException>(() => AdaptedModel.Attach(model, options)).Message,
                StringComparison.Ordinal
            );
        Refuses(new LoraOptions(), "Targets");
        Refuses(new LoraOptions { Targets = ["nothing"] }, "nothing");
        Refuses(new LoraOptions { Targets = ["self_attn"] }, "self_attn");
        Refuses(new LoraOptions { Targets = ["norm"] }, "linear layers and embeddings");
        Refuses(new LoraOptions { Targets = ["q_proj"], Rank = 0 }, "Rank");
        Refuses(new LoraOptions { Targets = ["q_proj"], Dropout = 1 }, "Dropout");
        Refuses(new LoraOptions { Targets = ["q_proj"], Alpha = double.NaN }, "Alpha");
        Refuses(new LoraOptions { Targets = ["q_proj"], ModulesToSave = ["score"] }, "score");
        Refuses(new LoraOptions { Targets = ["q_proj"], Tokens = TrainableTokens.Of(23) }, "0 to 22");
        Refuses(new LoraOptions { Targets = ["q_proj"], Tokens = TrainableTokens.Of(2, 2) }, "twice");
        Refuses(
            new LoraOptions
            {
                Targets = ["q_proj"],
                Initialization = LoraInitialization.Orthogonal,
                Rank = 3,
            },
            "even"
        );
        Refuses(
            new LoraOptions
            {
                Targets = ["q_proj"],
                Initialization = LoraInitialization.Pissa,
                Rank = 17,
            },
            "16"
        );
        Refuses(new LoraOptions { Targets = ModuleSelection.Matching(".*q_proj"), Layers = [0] }, "pattern");
        Assert.Contains(
            "regular expression",
            Assert.Throws<ArgumentException>(() => ModuleSelection.Matching("(")).Message,
            StringComparison.Ordinal
        );
        Assert.All(model.parameters(), parameter => Assert.True(parameter.requires_grad));
    }

    [Theory]
    [InlineData("q_proj", null, "0.self_attn.q_proj 1.self_attn.q_proj")]
    [InlineData("layers.1.self_attn.v_proj", null, "1.self_attn.v_proj")]
    [InlineData("v_proj", 1, "1.self_attn.v_proj")]
    [InlineData("proj", null, null)]
    public void Targets_AreNamesOrTheirEnds(string target, int? layer, string? expected)
    {
        using var model = AdapterModels.Llama();
        var options = new LoraOptions { Targets = [target], Layers = layer is { } one ? [one] : [] };
        if (expected is null)
        {
            Assert.Throws<ArgumentException>(() => AdaptedModel.Attach(model, options));
            return;
        }
        using var adapted = AdaptedModel.Attach(model, options);
        Assert.Equal(
            expected.Split(' ').Select(name => "model.layers." + name),
            adapted.Pieces("default").Select(piece => piece.Leaf.Name)
        );
    }

    [Fact]
    public void Patterns_ChooseRankAndScaleByTheEndOfTheName()
    {
        using var model = AdapterModels.Llama();
        using var adapted = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Targets = ["q_proj", "k_proj"],
                Rank = 4,
                RankPattern = new Dictionary<string, int>
                {
                    ["layers\\.1\\.self_attn\\.k_proj"] = 2,
                    ["layers.1.k_proj"] = 1,
                    ["^model.layers.0.self_attn.q_proj"] = 3,
                },
                AlphaPattern = new Dictionary<string, double> { [".*k_proj"] = 16 },
            }
        );
        var ranks = adapted
            .Pieces("default")
            .Cast<PostTrain.Adapters.Layers.LoraLinear>()
            .ToDictionary(piece => piece.Leaf.Name["model.layers.".Length..], piece => (piece.A.size(0), piece.Scale));
        Assert.Equal((3, 8.0 / 3), ranks["0.self_attn.q_proj"]);
        Assert.Equal((4, 2), ranks["1.self_attn.q_proj"]);
        Assert.Equal((4, 4), ranks["0.self_attn.k_proj"]);
        Assert.Equal((2, 8), ranks["1.self_attn.k_proj"]);
    }

    [Fact]
    public void HalfPrecision_GetsFloat32Adapters()
    {
        using var scope = NewDisposeScope();
        using var model = AdapterModels.Llama(ScalarType.BFloat16);
        var ids = AdapterModels.Ids();
        var plain = AdapterModels.Bytes(AdapterModels.Logits(model, ids));
        using var adapted = AdaptedModel.Attach(model, AdapterModels.Methods["lora-all-linear"]);
        Assert.All(adapted.TrainableParameters, item => Assert.Equal(ScalarType.Float32, item.Parameter.dtype));
        Assert.Equal(plain, AdapterModels.Bytes(AdapterModels.Logits(model, ids)));
        AdapterModels.Randomize(adapted);
        Assert.Equal(ScalarType.BFloat16, AdapterModels.Logits(model, ids).dtype);
    }
}
