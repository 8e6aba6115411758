using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Samples;

/// <summary>The samples as a user runs them: from the repository's root, as programs of their own.</summary>
public class SampleTests
{
    internal static readonly string Root = RepositoryFolder.Root;

    [Fact]
    public void Quickstart_IsTheReadmesExample()
    {
        var readme = File.ReadAllText(Path.Combine(Root, "README.md"));
        var program = string.Join(
            '\n',
            File.ReadLines(Path.Combine(Root, "samples", "quickstart.cs")).Where(line => !line.StartsWith("#:", StringComparison.Ordinal))
        );
        Assert.Contains($"```csharp\n{program}\n```", readme, StringComparison.Ordinal);
        Assert.InRange(program.Split('\n').Length, 1, 25);
    }

    [Fact]
    public void Quickstart_Trains()
    {
        var text = Run("samples/quickstart.cs");
        Assert.Equal(10, text.Split('\n').Count(line => line.Contains("reward", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("sft-lora", 20, "loss", true)]
    [InlineData("dpo", 20, "loss", true)]
    [InlineData("own-loss", 20, "loss", true)]
    [InlineData("reward-model", 20, "loss", true)]
    [InlineData("distillation", 20, "loss", true)]
    [InlineData("grpo", 10, "reward", false)]
    [InlineData("ppo", 5, "reward", false)]
    [InlineData("own-method", 10, "reward", false)]
    [InlineData("own-loop", 10, "reward", false)]
    public void ShortProgram_Trains_AndSaves(string sample, int steps, string number, bool falls)
    {
        Assert.InRange(File.ReadLines(Path.Combine(Root, "samples", sample + ".cs")).Count(), 20, 40);
        var numbers = Regex
            .Matches(Run($"samples/{sample}.cs"), $@"^ *\d+ .*\b{number} (?<value>-?\d+\.\d+)", RegexOptions.Multiline)
            .Select(match => double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture))
            .ToArray();
        Assert.Equal(steps, numbers.Length);
        if (falls)
            Assert.True(numbers[^5..].Average() < numbers[0], $"{number} went from {numbers[0]} to {numbers[^1]}");
        Assert.NotEmpty(
            Directory.EnumerateFiles(Path.Combine(Root, "artifacts", sample), "model.safetensors", SearchOption.AllDirectories)
        );
    }

    [Fact]
    public void Estimators_PrintsAndWritesItsReport()
    {
        using var folder = new TemporaryDirectory();
        var text = Run("samples/experiments/estimators.cs", "--", folder.Path);
        Assert.Contains("RLOO", text, StringComparison.Ordinal);
        Assert.Contains("<table", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void R1Zero_OnTheProjectsModel_WritesItsReport() => CheckR1Zero(model: null);

    [RealModelFact]
    public void R1Zero_OnTheChatModel_WritesItsReport() => CheckR1Zero(RealModels.PathOf("craftgpt-5m"));

    [RealModelFact]
    public void R1Zero_OnTheStoryModel_WritesItsReport() => CheckR1Zero(RealModels.PathOf("stories260K-hf"));

    private static void CheckR1Zero(string? model)
    {
        using var folder = new TemporaryDirectory();
        string[] source = model is null ? [] : ["--model", model];
        var text = Run(["samples/r1-zero.cs", "--", "--steps", "2", "--output", folder.Path, .. source]);
        Assert.Contains("before", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', text);
        Assert.Equal(2, File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).Count());
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
        using var summary = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "summary.json")));
        foreach (var name in (string[])["accuracy_before", "accuracy_after", "seconds", "tokens_per_second"])
            Assert.True(double.IsFinite(summary.RootElement.GetProperty(name).GetDouble()), name);
        Assert.True(File.Exists(Path.Combine(folder.Path, "model", "model.safetensors")));
    }

    /// <summary>A larger sample's path from the root: in samples/experiments, but for the demonstration.</summary>
    internal static string PathOf(string sample) => sample == "r1-zero" ? "samples/r1-zero.cs" : $"samples/experiments/{sample}.cs";

    internal static string Run(params string[] arguments)
    {
        var (code, output, errors) = Start(arguments);
        Assert.True(code == 0, $"dotnet run {string.Join(' ', arguments)} ended with {code}:\n{output}\n{errors}");
        return output;
    }

    internal static (int Code, string Output, string Errors) Start(string[] arguments) =>
        DotnetCommand.Start(Root, TimeSpan.FromMinutes(10), new Dictionary<string, string>(), ["run", "-c", "Release", .. arguments]);
}
