using System.Diagnostics;
using System.Text.Json;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Samples;

/// <summary>The samples as a user runs them: from the repository's root, as programs of their own.</summary>
public class SampleTests
{
    private static readonly string Root = RepositoryFolder.Root;

    [Fact]
    public void Quickstart_IsTheReadmesExample()
    {
        var readme = File.ReadAllText(Path.Combine(Root, "README.md"));
        var program = string.Join('\n', File.ReadLines(Path.Combine(Root, "samples", "quickstart.cs")).Where(line => !line.StartsWith("#:", StringComparison.Ordinal)));
        Assert.Contains($"```csharp\n{program}\n```", readme, StringComparison.Ordinal);
        Assert.InRange(program.Split('\n').Length, 1, 25);
    }

    [Fact]
    public void Quickstart_Trains()
    {
        var text = Run("samples/quickstart.cs");
        Assert.Equal(10, text.Split('\n').Count(line => line.Contains("reward", StringComparison.Ordinal)));
    }

    [Fact]
    public void Estimators_PrintsAndWritesItsReport()
    {
        using var folder = new TemporaryDirectory();
        var text = Run("samples/estimators.cs", "--", folder.Path);
        Assert.Contains("RLOO", text, StringComparison.Ordinal);
        Assert.Contains("<table", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void RoundTrip_IsExact()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("round-trip", folder, "--steps", "5");
        foreach (var name in (string[])["adapter_difference", "checkpoint_difference", "base_difference"])
            Assert.Equal(0, summary.RootElement.GetProperty(name).GetDouble());
        Assert.InRange(summary.RootElement.GetProperty("merge_difference").GetDouble(), 0, 1e-3);
        Assert.True(summary.RootElement.GetProperty("loss_last").GetDouble() < summary.RootElement.GetProperty("loss_first").GetDouble());
        Assert.True(File.Exists(Path.Combine(folder.Path, "adapter", "adapter_config.json")));
        Assert.True(File.Exists(Path.Combine(folder.Path, "model", "config.json")));
    }

    [Fact]
    public void Sft_OnTheToy_SavesAModelThatItCanTrainOn()
    {
        using var folder = new TemporaryDirectory();
        using (var summary = RunToSummary("sft", folder, "--steps", "20", "--held-out", "20"))
            Assert.True(summary.RootElement.GetProperty("loss_difference_interval")[1].GetDouble() < 0);
        using var second = new TemporaryDirectory();
        using var continued = RunToSummary("sft", second, "--steps", "2", "--lora", "4", "--packing", "true",
            "--model", Path.Combine(folder.Path, "model"), "--data", Path.Combine(folder.Path, "data.jsonl"));
        Assert.True(File.Exists(Path.Combine(second.Path, "adapter", "adapter_model.safetensors")));
        Assert.False(continued.RootElement.TryGetProperty("accuracy_after", out _));
    }

    [Fact]
    public void Sft_TakesInstructionRecords_AndNamesTheOneThatIsIncomplete()
    {
        using var folder = new TemporaryDirectory();
        var data = Path.Combine(folder.Path, "records.json");
        string[] model = ["--steps", "2", "--held-out", "2", "--template", "{instruction}+{input}=", "--model", Path.Combine(Root, "samples", "models", "arithmetic-base"), "--data", data];
        File.WriteAllText(data, "[" + string.Join(",", Enumerable.Range(100, 12).Select(i => $$"""{"instruction":"{{i}}","input":"{{i}}","output":"{{2 * i}}"}""")) + "]");
        RunToSummary("sft", folder, model).Dispose();
        File.WriteAllText(data, """[{"instruction":"100","output":"200"},{"instruction":"100"}]""");
        var (code, _, errors) = Start(["samples/sft.cs", "--", "--output", folder.Path, .. model]);
        Assert.Equal(1, code);
        Assert.Contains("record 2", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lora", "LoRA")]
    [InlineData("prompt-tuning", "P-Tuning v2")]
    public void SideBySide_ReportsEachMethodWithItsInterval(string sample, string method)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(sample, folder, "--steps", "2", "--held-out", "4");
        var result = summary.RootElement.GetProperty(method);
        Assert.Equal(2, result.GetProperty("loss_interval").GetArrayLength());
        Assert.True(result.GetProperty("trainable").GetInt64() < summary.RootElement.GetProperty("full").GetProperty("trainable").GetInt64());
    }

    [Theory]
    [InlineData("sigmoid")]
    [InlineData("simpo")]
    [InlineData("orpo")]
    [InlineData("kto")]
    public void Dpo_TrainsAnyOfTheFamily(string loss)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("dpo", folder, "--steps", "2", "--held-out", "8", "--loss", loss, "--lora", loss == "sigmoid" ? "4" : "0");
        Assert.Equal(loss, summary.RootElement.GetProperty("loss").GetString());
        Assert.Equal(loss == "kto", !summary.RootElement.TryGetProperty("margin_interval", out _));
    }

    [Fact]
    public void Rewards_ComparesTheFourSchemes()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("rewards", folder, "--held-out", "20", "--group", "4");
        foreach (var scheme in (string[])["binary", "step", "consistency", "preference"])
            Assert.InRange(summary.RootElement.GetProperty(scheme).GetProperty("mean").GetDouble(), 0, 1);
        // The mean of comparisons is a half, whatever the judge thinks; the right answer is always above the wrong one where it is the reward.
        Assert.Equal(0.5, summary.RootElement.GetProperty("preference").GetProperty("mean").GetDouble(), 9);
        Assert.Equal(1, summary.RootElement.GetProperty("binary").GetProperty("right_above_wrong").GetDouble(), 9);
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

    // What every sample leaves: a report with a table, metrics, a summary; and a plain text where there is no terminal.
    private static JsonDocument RunToSummary(string sample, TemporaryDirectory folder, params string[] arguments)
    {
        var text = Run([$"samples/{sample}.cs", "--", "--output", folder.Path, .. arguments]);
        Assert.DoesNotContain('\u001b', text);
        Assert.NotEmpty(File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")));
        Assert.Contains("<table", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
        return JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "summary.json")));
    }

    private static string Run(params string[] arguments)
    {
        var (code, output, errors) = Start(arguments);
        Assert.True(code == 0, $"dotnet run {string.Join(' ', arguments)} ended with {code}:\n{output}\n{errors}");
        return output;
    }

    private static (int Code, string Output, string Errors) Start(string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["run", "-c", "Release", .. arguments])
        {
            WorkingDirectory = Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // What the test host was started with is not for another build.
        foreach (var name in start.Environment.Keys.Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}
