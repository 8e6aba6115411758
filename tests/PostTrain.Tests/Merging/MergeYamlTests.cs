using System.Text;
using PostTrain.Merging;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Merging;

/// <summary>mergekit's YAML: what is read, and what is refused by name.</summary>
public sealed class MergeYamlTests : IDisposable
{
    private readonly TemporaryDirectory folder = new();

    public MergeYamlTests()
    {
        foreach (var name in (string[])["a", "b", "base"])
            Directory.CreateDirectory(folder.File(name));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Models_AreRead()
    {
        var path = folder.Write(
            "merge.yml",
            """
            # of mergekit's examples
            models:
              - model: a
                parameters:
                  density: [1, 0.7, 0.1]   # a gradient
                  weight: 1.0
              - model: {path: b}
                parameters:
                  density: 0.33
                  weight:
                    - filter: mlp
                      value: 0.5
                    - value: 0
            merge_method: ties
            base_model: "base"
            parameters:
              normalize: true
              int8_mask: true
              lambda: 0.8
            dtype: float16
            tokenizer_source: union
            """
        );
        var config = MergeConfig.Load(path);
        Assert.Same(MergeMethod.Ties, config.Method);
        Assert.Equal(folder.File("base"), config.Base);
        Assert.Equal([folder.File("a"), folder.File("b")], config.Models.Select(model => model.Directory));
        Assert.Equal(0.7, config.Models[0].Parameters.Density!.At("x", 0.5));
        Assert.Equal(0.5, config.Models[1].Parameters.Weight!.At("layers.1.mlp.up_proj", 0.5));
        Assert.Equal(0, config.Models[1].Parameters.Weight!.At("norm", 0.5));
        Assert.True(config.Parameters.Normalize);
        Assert.Equal(0.8, config.Parameters.Lambda!.At("x", 0));
        Assert.Equal(ScalarType.Float16, config.Type);
        Assert.Equal(VocabularyMerge.Union, config.Vocabulary);
    }

    [Fact]
    public void Slices_AreRead()
    {
        var config = MergeConfig.Parse(
            """
            slices:
              - sources: [{model: a, layer_range: [0, 3]}]
              - sources:
                  - model: b
                    layer_range: [1, 4]
                parameters: {scale: 0.5}
            merge_method: passthrough
            dtype: bfloat16
            """,
            folder.Path
        );
        Assert.Equal([(0, 3), (1, 4)], config.Slices.Select(slice => slice.Models.Single().Layers!.Value));
        Assert.Equal(0.5, config.Slices[1].Parameters.Scale!.At("x", 0));
        Assert.Empty(config.Models);
    }

    public static TheoryData<string, string> Refused =>
        new()
        {
            { "", "ends too early|expected" },
            { "a: [", "not YAML" },
            { "- a\n- b", "keys with values" },
            { "merge_method: ties\nmodels: [{model: a}]\nmodels: [{model: b}]", "'models' twice" },
            { "merge_method: magic\nmodels: [{model: a}]", "'magic'" },
            { "models: [{model: a}]", "merge_method" },
            { "merge_method: linear", "either models or slices" },
            { "merge_method: linear\nmodels: [{model: a}]\nslices: []", "either models or slices" },
            { "merge_method: linear\nmodels: 3", "models is '3'" },
            { "merge_method: linear\nmodels: [a]", "models[0] is 'a'" },
            { "merge_method: linear\nmodels: [{model: hub/name}]", "hub/name" },
            { "merge_method: linear\nmodels: [{model: a, lora: b}]", "'lora'" },
            { "merge_method: linear\nmodels: [{model: a}]\nmodules: {}", "'modules'" },
            { "merge_method: linear\nmodels: [{model: a, parameters: {weight: high}}]", "'high'" },
            { "merge_method: linear\nmodels: [{model: a, parameters: {weight: .inf}}]", "'.inf'" },
            { "merge_method: linear\nmodels: [{model: a, parameters: {weight: '1'}}]", "weight is '1'" },
            { "merge_method: linear\nmodels: [{model: a, parameters: {density: 1}}]", "no 'density'" },
            { "merge_method: linear\nmodels: [{model: a}]\nparameters: {normalize: 1}", "true or false" },
            {
                "merge_method: linear\nmodels: [{model: a, parameters: {weight: [{value: [{value: 1}]}]}}]",
                "a number or a list of numbers"
            },
            { "merge_method: linear\nmodels: [{model: a, parameters: {weight: []}}]", "a finite number" },
            { "merge_method: linear\nmodels: [{model: a}]\ndtype: int8", "'int8'" },
            { "merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [3]}]}]", "two layers" },
            { "merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [3, 1]}]}]", "an end above it" },
            { "merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [-1, 1]}]}]", "'-1'" },
            {
                "merge_method: slerp\nslices: [{sources: [{model: a, layer_range: [0, 2]}, {model: b, layer_range: [0, 3]}]}]",
                "expected as many"
            },
            { "x: &x [1]\ny: *x", "anchor" },
            { "x: !!python/object:os.system {}", "tag" },
            { "x: &x [*x]", "anchor" },
            { "? [a]\n: 1", "a text" },
            { "merge_method: linear\nmodels: [{model: a}]\n---\nb: 1", "no second document" },
            { "merge_method: linear\nmodels: [{model: a}]\ntokenizer: {source: base, tokens: {}}", "'tokens'" },
            { "merge_method: linear\nmodels: [{model: a}]\ntokenizer_source: a", "union" },
        };

    [Theory]
    [MemberData(nameof(Refused))]
    public void WhatIsNotRead_IsRefusedByName(string text, string expected)
    {
        var message = Assert.Throws<InvalidDataException>(() => MergeConfig.Parse(text, folder.Path)).Message;
        Assert.True(expected.Split('|').Any(part => message.Contains(part, StringComparison.Ordinal)), message);
    }

    [Fact]
    public void Bombs_AreRefusedAtOnce()
    {
        // A billion laughs, a deep nest, a wide list, a long text.
        var laughs = new StringBuilder("a: &a [x,x,x,x,x,x,x,x,x]\n");
        for (var c = 'b'; c < 'k'; c++)
            laughs.Append(c).Append(": &").Append(c).Append(" [").AppendJoin(',', Enumerable.Repeat($"*{(char)(c - 1)}", 9)).Append("]\n");
        string[] bombs =
        [
            laughs.ToString(),
            "a: " + new string('[', 400_000),
            "a: " + string.Concat(Enumerable.Repeat("{b: ", 100_000)),
            "a: [" + string.Concat(Enumerable.Repeat("1,", 400_000)) + "1]",
            "a: " + new string('x', 2 << 20),
        ];
        var clock = System.Diagnostics.Stopwatch.StartNew();
        foreach (var bomb in bombs)
        {
            Assert.Throws<InvalidDataException>(() => MergeConfig.Parse(bomb, folder.Path));
            Assert.Throws<InvalidDataException>(() => MergeConfig.Load(folder.Write("bomb.yml", bomb)));
        }

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{clock.Elapsed}");
        Assert.Throws<FileNotFoundException>(() => MergeConfig.Load(folder.File("none.yml")));
    }

    [Fact]
    public void EveryCutAndManyChanges_AreReadOrRefused()
    {
        const string text =
            "merge_method: slerp\nbase_model: base\nmodels: [{model: a, parameters: {}}, {model: base}]\nparameters: {t: "
            + "[{filter: 'mlp', value: [0, 1]}, {value: 0.5}]}\n";
        var random = new Random(5);
        var read = 0;
        for (var i = 0; i < 3000; i++)
        {
            var changed = i < text.Length ? text[..i] : text;
            if (i >= text.Length)
            {
                var place = random.Next(text.Length);
                changed = string.Concat(text.AsSpan(0, place), $"{(char)random.Next(1, 128)}", text.AsSpan(place + random.Next(2)));
            }

            try
            {
                MergeConfig.Parse(changed, folder.Path);
                read++;
            }
            catch (InvalidDataException) { }
        }

        Assert.InRange(read, 1, 2999);
    }
}
