using System.Text.Json;
using Xunit.Sdk;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>A case fails by name where its runner leaves something of it unread.</summary>
public sealed class GoldenCaseTests
{
    private const string Case = """
        {"id": "one", "kind": "sum", "params": {"scale": 2, "absent": null, "mode": "fast"},
         "inputs": {"x": 1, "steps": [{"y": 3, "z": 4}], "config": {"width": 5}}, "expected": {}}
        """;

    /// <summary>Every kind of every area.</summary>
    public static TheoryData<string, string> Kinds
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (area, kinds) in GoldenSuite.Areas)
            foreach (string kind in kinds.Keys)
                data.Add(area, kind);
            return data;
        }
    }

    [Fact]
    public void Run_WithEverythingRead_Passes() => Of(Case).Run(ReadAll);

    [Theory]
    [InlineData("params.scale")]
    [InlineData("params.absent")]
    [InlineData("params.mode")]
    [InlineData("inputs.x")]
    [InlineData("inputs.steps[0].z")]
    [InlineData("inputs.config.width")]
    public void Run_WithOneLeft_NamesIt(string left)
    {
        var failure = Assert.ThrowsAny<XunitException>(() => Of(Case).Run(item => ReadAll(item, left)));
        Assert.Contains($"case one of the kind sum has {left}, which", failure.Message, StringComparison.Ordinal);
    }

    // To ask whether a value is there, or for a value of another kind, is not to use it.
    [Fact]
    public void Run_WithAValueOnlyAskedFor_NamesIt()
    {
        var failure = Assert.ThrowsAny<XunitException>(() =>
            Of("""{"id": "one", "kind": "sum", "params": {"scale": 2, "mode": "fast"}}""")
                .Run(item =>
                {
                    Assert.True(item.HasParameter("scale"));
                    Assert.Null(item.Text("scale"));
                    item.Only("mode", "fast");
                })
        );
        Assert.Contains("params.scale,", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("params.mode", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_WithAnotherValue_Throws()
    {
        var failure = Assert.Throws<NotSupportedException>(() => Of(Case).Run(item => item.Only("mode", "slow")));
        Assert.Contains("mode \"fast\", expected slow", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void EveryRunner_RefusesAParameterAndAnInputThatItDoesNotKnow(string area, string kind)
    {
        if (GoldenFile.Load(area)?.Cases.FirstOrDefault(item => item.Kind == kind) is not { } known)
            return;
        using var scope = NewDisposeScope();
        var failure = Assert.ThrowsAny<XunitException>(() =>
            known.With("params", "unheard_of").With("inputs", "unseen").Run(GoldenSuite.Areas[area][kind].Run)
        );
        Assert.Contains("params.unheard_of, inputs.unseen, which its runner does not use", failure.Message, StringComparison.Ordinal);
    }

    private static GoldenCase Of(string json) => new(JsonDocument.Parse(json).RootElement, default);

    private static void ReadAll(GoldenCase item) => ReadAll(item, "");

    private static void ReadAll(GoldenCase item, string without)
    {
        if (without != "params.scale")
            item.Parameter("scale", 0);
        if (without != "params.absent")
            Assert.False(item.HasParameter("absent"));
        if (without != "params.mode")
            Assert.Equal("fast", item.Text("mode"));
        if (without != "inputs.x")
            item.Input("x").Dispose();
        foreach (var step in item.Inputs.Objects("steps"))
        foreach (string name in step.Names.Where(name => without != $"inputs.steps[0].{name}"))
            step.Value(name);
        var config = item.Inputs.Object("config");
        if (without != "inputs.config.width")
            config.Value("width");
    }
}
