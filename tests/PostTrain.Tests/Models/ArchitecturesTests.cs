using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Models;

public sealed class ArchitecturesTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private DecoderConfig Read(string type, string fields = "{}")
    {
        var json = JsonNode
            .Parse(
                """
                {"vocab_size": 30, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 8, "num_attention_heads": 4,
                 "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64}
                """
            )!
            .AsObject();
        json["model_type"] = type;
        foreach (var (name, value) in JsonNode.Parse(fields)!.AsObject())
            json[name] = value?.DeepClone();
        directory.Write("config.json", json.ToJsonString());
        using var file = ConfigFile.Open(directory.File("config.json"));
        return Architectures.Read(file);
    }

    private RotarySpec Rope(string fields) => Read("llama", fields).Attention[0].Rotary!;

    private void Refused(string reason, string type, string fields) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Read(type, fields)).Message, StringComparison.Ordinal);

    public static TheoryData<string, string> Spellings =>
        new()
        {
            { """{"rope_theta": 500}""", """{"rope_parameters": {"rope_theta": 500, "rope_type": "default"}}""" },
            {
                """{"rope_scaling": {"type": "linear", "factor": 2}}""",
                """{"rope_parameters": {"rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0}}"""
            },
            {
                """{"rope_scaling": {"rope_type": "dynamic", "factor": 2}}""",
                """{"rope_parameters": {"rope_type": "dynamic", "factor": 2, "original_max_position_embeddings": 64}}"""
            },
            {
                """{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": """
                    + """4, "original_max_position_embeddings": 16}, "rope_theta": 5e5}""",
                """{"rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8, "low_freq_factor": """
                    + """1, "high_freq_factor": 4, "original_max_position_embeddings": 16}}"""
            },
            {
                """{"rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 16}}""",
                """{"rope_parameters": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16,"""
                    + """ "beta_fast": 32, "beta_slow": 1, "attention_factor": null}}"""
            },
            { """{"partial_rotary_factor": 0.5}""", """{"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}""" },
        };

    [Theory]
    [MemberData(nameof(Spellings))]
    public void Rope_BothSpellings_MeanTheSame(string older, string newer)
    {
        Assert.Equal(Rope(older), Rope(newer));
        Assert.NotEqual(new RotarySpec(), Rope(older));
    }

    [Fact]
    public void Rope_ValuesAndContextLength_AreTheFiles()
    {
        Assert.Equal(
            new RotarySpec { Scaling = new DynamicScaling(3, 64) },
            Rope("""{"rope_scaling": {"type": "dynamic", "factor": 3}}""")
        );
        Assert.Equal(192, Read("llama", """{"rope_scaling": {"type": "dynamic", "factor": 3}}""").ContextLength);
        var yarn = Read(
            "llama",
            """{"rope_scaling": {"type": "yarn", "factor": 4, "mscale": 1, "mscale_all_dim": 0.5, "truncate": false}}"""
        );
        Assert.Equal(256, yarn.ContextLength);
        var scaling = Assert.IsType<YarnScaling>(yarn.Attention[0].Rotary!.Scaling);
        Assert.Equal((1 + 0.1 * Math.Log(4)) / (1 + 0.05 * Math.Log(4)), scaling.AttentionFactor, 1e-12);
        Assert.False(scaling.Truncate);
        Assert.Equal(64, Read("llama", """{"rope_scaling": {"type": "linear", "factor": 4}}""").ContextLength);
    }

    [Fact]
    public void Rope_WhatIsNotKnown_IsRefused()
    {
        Refused("rope_type' is \"longrope\"", "llama", """{"rope_scaling": {"rope_type": "longrope", "factor": 2}}""");
        Refused("rope_scaling.factor' is missing", "llama", """{"rope_scaling": {"rope_type": "linear"}}""");
        Refused(
            "rope_parameters.short_factor' is given",
            "llama",
            """{"rope_parameters": {"rope_type": "linear", "factor": 2, "short_factor": [1]}}"""
        );
        Refused(
            "rope_scaling.factor' is \"2\", expected a finite number",
            "llama",
            """{"rope_scaling": {"rope_type": "linear", "factor": "2"}}"""
        );
        Refused(
            "expected 64, as max_position_embeddings",
            "llama",
            """{"rope_scaling": {"rope_type": "dynamic", "factor": 2, "original_max_position_embeddings": 32}}"""
        );
        Refused("Factor must be a finite number above 0", "llama", """{"rope_scaling": {"rope_type": "linear", "factor": -1}}""");
        Refused(
            "rope_parameters.other' is given",
            "gemma3_text",
            """{"rope_parameters": {"full_attention": {"rope_type": "default"}, "other": {}}}"""
        );
    }

    [Fact]
    public void Mistral_Window_IsTheFilesOrTheDefault()
    {
        Assert.Equal(4096, Read("mistral").Attention[0].Window);
        Assert.Null(Read("mistral", """{"sliding_window": null}""").Attention[0].Window);
        Assert.Equal(7, Read("mistral", """{"sliding_window": 7}""").Attention[0].Window);
    }

    [Fact]
    public void Qwen_Windows_BeginWhereTheFileSays()
    {
        static IEnumerable<int?> Windows(DecoderConfig config) =>
            Enumerable.Range(0, config.Layers).Select(layer => config.Attention[layer].Window);
        Assert.All(Windows(Read("qwen2", """{"sliding_window": 5, "max_window_layers": 6}""")), Assert.Null);
        Assert.Equal(
            [null, null, null, null, null, null, 5, 5],
            Windows(Read("qwen2", """{"use_sliding_window": true, "sliding_window": 5, "max_window_layers": 6}"""))
        );
        Assert.Equal(
            [null, 5, null, 5, null, 5, null, 5],
            Windows(
                Read(
                    "qwen3",
                    """
                    {"use_sliding_window": true, "sliding_window": 5, "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention",
                     "full_attention", "sliding_attention", "full_attention", "sliding_attention"]}
                    """
                )
            )
        );
        Refused("a list of 1, expected one entry for each of the 8 layers", "qwen2", """{"layer_types": ["full_attention"]}""");
        Refused("a list with 'chunked_attention'", "qwen3", """{"num_hidden_layers": 1, "layer_types": ["chunked_attention"]}""");
        Refused("expected at most 100000", "qwen2", """{"use_sliding_window": true, "num_hidden_layers": 2000000000}""");
    }

    [Fact]
    public void Gemma_Defaults_AreTransformers()
    {
        var two = Read("gemma2", """{"head_dim": null, "num_hidden_layers": 3}""");
        Assert.Equal((256, Math.Sqrt(16), 30.0), (two.HeadSize, two.EmbeddingScale, two.LogitSoftCap));
        Assert.Equal([4096, null, 4096], Enumerable.Range(0, 3).Select(layer => two.Attention[layer].Window));
        Assert.All(two.Attention, spec => Assert.Equal((50.0, null), (spec.SoftCap, spec.Scale)));
        Assert.Null(Read("gemma2", """{"attn_logit_softcapping": null, "final_logit_softcapping": null}""").LogitSoftCap);
        Assert.Equal(Math.Pow(24, -0.5), Read("gemma2", """{"query_pre_attn_scalar": 24}""").Attention[0].Scale);

        var three = Read("gemma3_text", """{"rope_scaling": {"rope_type": "linear", "factor": 8}, "query_pre_attn_scalar": 4}""");
        Assert.Equal([5], Enumerable.Range(0, 8).Where(layer => three.Attention[layer].Window is null));
        Assert.Equal(new RotarySpec { Theta = 1e6, Scaling = new LinearScaling(8) }, three.Attention[5].Rotary);
        Assert.Equal(new RotarySpec(), three.Attention[0].Rotary);
        Assert.True(three.Attention[0].QueryKeyNorm);
        Assert.Equal(
            three,
            Read(
                "gemma3_text",
                """
                {"query_pre_attn_scalar": 4, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8, "rope_theta": 1e6},
                 "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}
                """
            )
        );
        Assert.Equal(Activation.GeluTanh, Read("gemma", """{"hidden_act": "gelu"}""").Activation);
        Assert.Equal(Activation.Gelu, Read("gemma", """{"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu"}""").Activation);
        Assert.Equal(Activation.Silu, Read("gemma", """{"hidden_act": "silu"}""").Activation);
        Refused("'use_bidirectional_attention' is true", "gemma3_text", """{"use_bidirectional_attention": true}""");
        Refused("query_pre_attn_scalar' is 0", "gemma2", """{"query_pre_attn_scalar": 0}""");
    }

    [Fact]
    public void QuantisedCheckpoints_AreRefused() =>
        Refused("quantised weights are not read", "llama", """{"quantization_config": {"bits": 4}}""");

    [Theory]
    [InlineData("llama", "AttentionOutputBias")]
    [InlineData("mistral", "AttentionBias")]
    [InlineData("qwen2", "NormPlacement")]
    [InlineData("gemma2", "Attention")]
    [InlineData("gemma3_text", "EmbeddingScale")]
    [InlineData("phi3", "FusedProjections")]
    [InlineData("gpt2", "GatedFeedForward")]
    public void WhyNotWritable_NamesWhatTheTypeCannotSay(string type, string property)
    {
        var config = Read(type, type == "gpt2" ? """{"n_embd": 16, "n_positions": 8, "n_layer": 2, "n_head": 4}""" : "{}");
        Assert.Null(Architectures.WhyNotWritable(config));
        var other = type switch
        {
            "llama" => config with { AttentionOutputBias = true },
            "mistral" => config with { AttentionBias = true },
            "qwen2" => config with { NormPlacement = NormPlacement.BeforeAndAfter },
            "gemma2" => config with { Attention = [config.Attention[0], config.Attention[1] with { SoftCap = 5 }] },
            "gemma3_text" => config with { EmbeddingScale = 1 },
            "phi3" => config with { FusedProjections = false },
            _ => config with { GatedFeedForward = true },
        };
        Assert.Contains($"its {property} is", Architectures.WhyNotWritable(other), StringComparison.Ordinal);
    }

    [Fact]
    public void AttentionLayers_AreTheShortestThatSayTheSame()
    {
        AttentionSpec a = new(),
            b = new() { Window = 3 };
        Assert.Equal([a], AttentionLayers.Create([a, a, a]).Shortest(3));
        Assert.Equal([a, b], AttentionLayers.Create([a, b, a]).Shortest(3));
        // After the list it begins again: a b a a b.
        Assert.Equal([a, b, a], AttentionLayers.Create([a, b, a]).Shortest(5));
        Assert.Equal([a], AttentionLayers.Create([a, b]).Shortest(1));
        Assert.Equal([a, a, b], AttentionLayers.Create([a, a, b]).Shortest(2_000_000_000));
        // A hostile list ends soon: alike up to its last entry.
        Assert.Equal(500_000, AttentionLayers.Create([.. Enumerable.Repeat(a, 499_999), b]).Shortest(500_000).Count);
        Assert.Throws<ArgumentException>(() => AttentionLayers.Create([]));
    }
}
