using System.Text.Json;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Samples;

/// <summary>The samples of domains, each for a few steps: what they leave, and what must hold after any number of steps.</summary>
public class DomainSampleTests
{
    [MeasurementFact]
    public void PrmBench_ScoresModelsWithoutKnowledgeByTheirClosedForms()
    {
        using var folder = new TemporaryDirectory();
        using var summary = Run("prm-bench", folder, "--steps", "2", "--records", "5");
        var root = summary.RootElement;
        Assert.Equal(root.GetProperty("closed form, every step right").GetDouble(), root.GetProperty("every step right").GetDouble(), 12);
        Assert.InRange(root.GetProperty("process reward model").GetDouble(), 0, 1);
    }

    [MeasurementFact]
    public void DomainAdaptation_ComparesEveryArmWithPlainTraining()
    {
        using var folder = new TemporaryDirectory();
        using var summary = Run("domain-adaptation", folder, "--seeds", "2", "--base-steps", "4", "--steps", "3");
        foreach (
            var arm in (string[])
                ["replay, 25 %", "replay of other texts (control)", "EWC", "EWC, shuffled information (control)", "L2-SP", "LoRA"]
        )
            Assert.Equal(2, summary.RootElement.GetProperty($"{arm}: forgetting_difference_interval").GetArrayLength());
        Assert.Equal(0, summary.RootElement.GetProperty("continued pre-training: forgetting_difference").GetDouble());
    }

    [MeasurementFact]
    public void SafetyTax_MeasuresEveryKindOfRefusal()
    {
        using var folder = new TemporaryDirectory();
        using var summary = Run(
            "safety-tax",
            folder,
            "--seeds",
            "2",
            "--base-steps",
            "200",
            "--steps",
            "2",
            "--every",
            "1",
            "--held-out",
            "10"
        );
        foreach (var arm in (string[])["direct refusals", "thinking refusals", "self-generated refusals", "its own answers (control)"])
            Assert.InRange(summary.RootElement.GetProperty($"{arm}: refusals at the end").GetDouble(), 0, 1);
    }

    [MeasurementFact]
    public void Satori_TrainsEveryArm()
    {
        using var folder = new TemporaryDirectory();
        using var summary = Run(
            "satori",
            folder,
            "--seeds",
            "2",
            "--base-steps",
            "20",
            "--format-steps",
            "10",
            "--rounds",
            "1",
            "--steps",
            "1",
            "--critic-steps",
            "0",
            "--held-out",
            "10"
        );
        foreach (var arm in (string[])["format tuning only", "PPO without restarts", "restart and explore", "restarts without the token"])
            Assert.InRange(summary.RootElement.GetProperty($"{arm}: right after an error").GetDouble(), 0, 1);
    }

    [MeasurementFact]
    public void Pictures_TrainsItsStages_AndSavesThem()
    {
        using var folder = new TemporaryDirectory();
        using var summary = Run(
            "pictures",
            folder,
            "--seeds",
            "2",
            "--text-steps",
            "2",
            "--projector-steps",
            "2",
            "--early",
            "2",
            "--steps",
            "3",
            "--grpo-steps",
            "1",
            "--pictures",
            "40",
            "--held-out",
            "9"
        );
        foreach (
            var stage in (string[])
                ["language model", "projector", "questions, first part", "GRPO from there", "questions, all", "other pictures (control)"]
        )
            Assert.InRange(summary.RootElement.GetProperty($"{stage}: right").GetDouble(), 0, 1);
        Assert.True(File.Exists(Path.Combine(folder.Path, "model", "model.safetensors")));
    }

    private static JsonDocument Run(string sample, TemporaryDirectory folder, params string[] options)
    {
        SampleTests.Run([SampleTests.PathOf(sample), "--", "--output", folder.Path, .. options]);
        Assert.Contains("<table", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
        return JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "summary.json")));
    }
}
