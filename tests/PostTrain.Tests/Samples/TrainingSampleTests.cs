using System.Text.Json;
using PostTrain.Models;
using PostTrain.Tests.Support;
using static TorchSharp.torch;

namespace PostTrain.Tests.Samples;

/// <summary>The samples of training methods, each for a few steps: what they leave, and what must hold after any number of steps.</summary>
public class TrainingSampleTests
{
    // Before anything is loaded or trained.
    [Theory]
    [InlineData("sft", "--lora", "-1", "at least 0")]
    [InlineData("sft", "--steps", "-1", "at least 1")]
    [InlineData("sft", "--learning-rate", "0", "above 0")]
    [InlineData("sft", "--micro-batch-size", "0", "at least 1")]
    [InlineData("grpo", "--batch-size", "0", "at least 1")]
    [InlineData("grpo", "--beta", "-0.1", "at least 0")]
    [InlineData("distillation", "--temperature", "-1", "above 0")]
    [InlineData("distillation", "--student-share", "1.5", "0 to 1")]
    [InlineData("distillation", "--learning-rate", "NaN", "above 0")]
    [InlineData("rewards", "--held-out", "0", "at least 1")]
    [InlineData("rewards", "--group", "2", "at least 3")]
    public void OptionsOutOfRange_AreRefused(string sample, string option, string value, string range)
    {
        using var folder = new TemporaryDirectory();
        var (code, output, errors) = SampleTests.Start([SampleTests.PathOf(sample), "--", "--output", folder.File("out"), option, value]);
        Assert.True(code != 0, output);
        Assert.Contains($"{option} is {value}, expected", errors, StringComparison.Ordinal);
        Assert.Contains(range, errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("out")));
    }

    [Fact]
    public void Reft_ComparesWorldsAndAModel_EachWithItsControl()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "reft",
            folder,
            "--worlds",
            "4",
            "--world-steps",
            "100",
            "--base-steps",
            "5",
            "--seeds",
            "2",
            "--steps",
            "2",
            "--warmup-steps",
            "2",
            "--questions",
            "16",
            "--held-out",
            "8",
            "--batch-size",
            "8"
        );
        Assert.True(double.IsFinite(summary.RootElement.GetProperty("1 to 5 valid ways, sampled: gain").GetDouble()));
        Assert.Equal(2, summary.RootElement.GetProperty("six valid orders, sampled: gain_interval").GetArrayLength());
        // Where the demonstration is the only valid way there is nothing to keep: self-training is supervised fine-tuning to the bit.
        foreach (var measure in (string[])["sampled", "greedy"])
            Assert.Equal(0, summary.RootElement.GetProperty($"one valid order (control), {measure}: gain_of_self_training").GetDouble());
        // Worlds; the base model; for each task and seed the warm-up, PPO, twice as many updates of SFT and of self-training, and what it
        // came to.
        var lines = File.ReadAllLines(Path.Combine(folder.Path, "metrics.jsonl"));
        Assert.Equal(4 * 4 + 5 + 2 * 2 * (2 + 2 + 4 + 4 + 1), lines.Length);
        Assert.Contains("one_valid_order/seed1/held_out/reft/greedy", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Reft_ComparesOnTheUsersRecords()
    {
        using var folder = new TemporaryDirectory();
        var data = Path.Combine(folder.Path, "records.jsonl");
        File.WriteAllLines(
            data,
            Enumerable.Range(100, 16).Select(i => $$"""{"question":"{{i}}+{{i}}=","answer":"{{i}}+{{i}}={{2 * i}}"}""")
        );
        using var summary = RunToSummary(
            "reft",
            folder,
            "--model",
            Path.Combine(SampleTests.Root, "samples", "models", "arithmetic-base"),
            "--data",
            data,
            "--lora",
            "2",
            "--seeds",
            "2",
            "--steps",
            "2",
            "--warmup-steps",
            "2",
            "--held-out",
            "4",
            "--batch-size",
            "4",
            "--tokens",
            "16"
        );
        Assert.Equal(2, summary.RootElement.GetProperty("the records, greedy: gain_interval").GetArrayLength());
        Assert.False(summary.RootElement.TryGetProperty("1 to 5 valid ways, sampled: gain", out _));
    }

    [Fact]
    public void Tools_ComparesWithAndWithoutTheTool()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "tools",
            folder,
            "--tool",
            "javascript",
            "--steps",
            "2",
            "--base-steps",
            "20",
            "--held-out",
            "8",
            "--batch-size",
            "2"
        );
        foreach (string name in (string[])["with the tool", "without it"])
        {
            var interval = summary.RootElement.GetProperty($"{name}: after_interval");
            Assert.InRange(summary.RootElement.GetProperty($"{name}: after").GetDouble(), interval[0].GetDouble(), interval[1].GetDouble());
        }
        Assert.Equal(1, summary.RootElement.GetProperty("without it: turns").GetDouble());
        // The base model, and the two trainings.
        Assert.Equal(20 + 2 + 2, File.ReadLines(folder.File("metrics.jsonl")).Count());
    }

    [Fact]
    public void Compress_MeasuresEveryMethodAgainstBytes()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("compress", folder, "--steps", "2", "--healing", "2", "--held-out", "6", "--calibration", "4");
        var root = summary.RootElement;
        var methods = root.EnumerateObject().Where(item => item.Value.ValueKind == JsonValueKind.Object).ToArray();
        Assert.Equal(17, methods.Length);
        double whole = root.GetProperty("whole").GetProperty("bytes").GetDouble();
        Assert.InRange(root.GetProperty("NF4").GetProperty("bytes").GetDouble() / whole, 0.12, 0.2);
        Assert.InRange(root.GetProperty("int8").GetProperty("bytes").GetDouble() / whole, 0.25, 0.3);
        Assert.Equal(0, root.GetProperty("whole").GetProperty("loss_minus_whole").GetDouble());
        foreach (var method in methods)
        {
            double value = method.Value.GetProperty("perplexity").GetDouble();
            Assert.InRange(
                value,
                method.Value.GetProperty("perplexity_interval")[0].GetDouble(),
                method.Value.GetProperty("perplexity_interval")[1].GetDouble()
            );
            Assert.True(method.Value.GetProperty("bytes").GetDouble() <= whole);
        }
        // Loss and right answers, each over bytes.
        var page = System.Xml.Linq.XDocument.Parse(File.ReadAllText(folder.File("report.html")));
        Assert.Equal(
            [17, 17],
            page.Descendants("figure").Select(figure => figure.Descendants().Count(item => item.Name.LocalName == "circle"))
        );
    }

    [Fact]
    public void BestOfN_FindsWhereTheCurvesCross()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("best-of-n", folder, "--most", "16");
        Assert.Equal(8, summary.RootElement.GetProperty("process_ahead_from").GetInt32());
        Assert.Equal(0.8962, summary.RootElement.GetProperty("process_limit").GetDouble(), 4);
        Assert.Equal(5, summary.RootElement.GetProperty("accuracy").GetProperty("outcome").GetArrayLength());
        Assert.Equal(5, File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).Count());
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sums")]
    [InlineData("style")]
    public void Rlaif_RunsItsThreeStages(string judge)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "rlaif",
            folder,
            "--judge",
            judge,
            "--steps",
            "2",
            "--sft-steps",
            "10",
            "--reward-steps",
            "2",
            "--pairs",
            "70",
            "--held-out",
            "8"
        );
        Assert.InRange(summary.RootElement.GetProperty("pairs").GetDouble(), 10, 70);
        Assert.Equal(2, summary.RootElement.GetProperty("wins_interval").GetArrayLength());
        var stages = File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl"))
            .Select(line =>
                line.Contains("\"feedback/", StringComparison.Ordinal) ? "feedback"
                : line.Contains("\"rewardmodel/", StringComparison.Ordinal) ? "reward model"
                : "other"
            )
            .ToArray();
        Assert.Equal(
            (2, 2, 12),
            (
                stages.Count(stage => stage == "feedback"),
                stages.Count(stage => stage == "reward model"),
                stages.Count(stage => stage == "other")
            )
        );
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
        using var continued = RunToSummary(
            "sft",
            second,
            "--steps",
            "2",
            "--lora",
            "4",
            "--packing",
            "true",
            "--model",
            Path.Combine(folder.Path, "model"),
            "--data",
            Path.Combine(folder.Path, "data.jsonl")
        );
        Assert.True(File.Exists(Path.Combine(second.Path, "adapter", "adapter_model.safetensors")));
        Assert.False(continued.RootElement.TryGetProperty("accuracy_after", out _));
    }

    [Fact]
    public void Sft_TakesInstructionRecords_AndNamesTheOneThatIsIncomplete()
    {
        using var folder = new TemporaryDirectory();
        var data = Path.Combine(folder.Path, "records.json");
        string[] model =
        [
            "--steps",
            "2",
            "--held-out",
            "2",
            "--template",
            "{instruction}+{input}=",
            "--model",
            Path.Combine(SampleTests.Root, "samples", "models", "arithmetic-base"),
            "--data",
            data,
        ];
        File.WriteAllText(
            data,
            "["
                + string.Join(
                    ",",
                    Enumerable.Range(100, 12).Select(i => $$"""{"instruction":"{{i}}","input":"{{i}}","output":"{{2 * i}}"}""")
                )
                + "]"
        );
        RunToSummary("sft", folder, model).Dispose();
        File.WriteAllText(data, """[{"instruction":"100","output":"200"},{"instruction":"100"}]""");
        var (code, _, errors) = SampleTests.Start(["samples/experiments/sft.cs", "--", "--output", folder.Path, .. model]);
        Assert.Equal(1, code);
        Assert.Contains("record 2", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lora", "LoRA")]
    [InlineData("prompt-tuning", "P-Tuning v2", "--base-steps", "2")]
    public void SideBySide_ReportsEachMethodWithItsInterval(string sample, string method, params string[] further)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(sample, folder, ["--steps", "2", "--held-out", "4", .. further]);
        var result = summary.RootElement.GetProperty(method);
        Assert.Equal(2, result.GetProperty("loss_interval").GetArrayLength());
        Assert.True(
            result.GetProperty("trainable").GetInt64() < summary.RootElement.GetProperty("full").GetProperty("trainable").GetInt64()
        );
    }

    [Fact]
    public void PromptWidth_ComparesWidthsOverSeeds()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("prompt-width", folder, "--steps", "2", "--base-steps", "2", "--seeds", "2", "--widths", "8,16");
        Assert.Equal(2, summary.RootElement.GetProperty("gap_change_interval").GetArrayLength());
        Assert.Equal(4, File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).Count());
    }

    [Fact]
    public void DistillationSeeds_ComparesPairedSeeds()
    {
        using var folder = new TemporaryDirectory();
        string[] quick = ["--steps", "2", "--start-steps", "2", "--teacher-steps", "2", "--seeds", "2", "--held-out", "4"];
        using var summary = RunToSummary("distillation-seeds", folder, quick);
        Assert.Equal(2, summary.RootElement.GetProperty("own_kl_minus_sft_interval").GetArrayLength());
    }

    [Fact]
    public void Curation_WritesItsSetWithProvenance()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("curation", folder, "--steps", "8", "--group-size", "4", "--held-out", "4");
        // Ten sums are there twice.
        Assert.True(summary.RootElement.GetProperty("removed").GetInt32() >= 10);
        Assert.All(
            File.ReadLines(Path.Combine(folder.Path, "curated.jsonl")),
            line => Assert.Contains("\"provenance\":{\"source\":\"sums\"", line, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("instructgpt")]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void Pipelines_RunEachRecipe_AndGoOn(string recipe)
    {
        using var folder = new TemporaryDirectory();
        string[] arguments = ["--recipe", recipe, "--steps", "2", "--held-out", "4"];
        using var first = RunToSummary("pipelines", folder, arguments);
        var weights = File.ReadAllBytes(Path.Combine(folder.Path, "model", "model.safetensors"));
        using var again = RunToSummary("pipelines", folder, [.. arguments, "--resume", "true"]);
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(folder.Path, "model", "model.safetensors")));
    }

    [Theory]
    [InlineData("sigmoid")]
    [InlineData("simpo")]
    [InlineData("orpo")]
    [InlineData("kto")]
    public void Dpo_TrainsAnyOfTheFamily(string loss)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "dpo",
            folder,
            "--steps",
            "2",
            "--held-out",
            "8",
            "--loss",
            loss,
            "--lora",
            loss == "sigmoid" ? "4" : "0"
        );
        Assert.Equal(loss, summary.RootElement.GetProperty("loss").GetString());
        Assert.Equal(loss == "kto", !summary.RootElement.TryGetProperty("margin_interval", out _));
    }

    // A teacher is no distance from itself, and nobody is less than none from it.
    [Theory]
    [InlineData("jsd")]
    [InlineData("gkd")]
    [InlineData("minillm")]
    [InlineData("sequence")]
    public void Distillation_TrainsByAnyMethod_BesideSft(string method)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "distillation",
            folder,
            "--steps",
            "2",
            "--teacher-steps",
            "2",
            "--start-steps",
            "2",
            "--held-out",
            "8",
            "--batch-size",
            "4",
            "--method",
            method
        );
        foreach (var divergence in (string[])["forward_kl", "own_kl"])
        {
            Assert.Equal(0, summary.RootElement.GetProperty("teacher").GetProperty(divergence).GetDouble(), 6);
            foreach (var model in (string[])["before", "SFT", method])
                Assert.True(summary.RootElement.GetProperty(model).GetProperty(divergence).GetDouble() > 0, model);
            var difference =
                summary.RootElement.GetProperty(method).GetProperty(divergence).GetDouble()
                - summary.RootElement.GetProperty("SFT").GetProperty(divergence).GetDouble();
            Assert.Equal(difference, summary.RootElement.GetProperty($"{divergence}_minus_sft").GetDouble(), 9);
        }

        Assert.Equal(8, File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).Count());
        Assert.True(File.Exists(Path.Combine(folder.Path, "model", "model.safetensors")));
    }

    [Theory]
    [InlineData("online-dpo", "judge")]
    [InlineData("xpo", "rule")]
    [InlineData("nash-md", "rule")]
    public void OnlineDpo_TrainsByAnyMethod_BesideDpo(string method, string reward)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "online-dpo",
            folder,
            "--steps",
            "2",
            "--sft-steps",
            "10",
            "--held-out",
            "8",
            "--batch-size",
            "8",
            "--method",
            method,
            "--reward",
            reward
        );
        Assert.Equal(
            (method, reward),
            (summary.RootElement.GetProperty("method").GetString(), summary.RootElement.GetProperty("reward").GetString())
        );
        Assert.InRange(summary.RootElement.GetProperty("offline_pairs").GetInt32(), 1, 16);
        var gain =
            summary.RootElement.GetProperty("accuracy_after").GetDouble() - summary.RootElement.GetProperty("accuracy_offline").GetDouble();
        Assert.Equal(gain, summary.RootElement.GetProperty("after_minus_offline").GetDouble(), 9);
        var steps = File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).ToArray();
        Assert.Equal(14, steps.Length);
        Assert.Contains($"{method}/reward/mean", steps[^1], StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(folder.Path, "model", "model.safetensors")));
    }

    [Fact]
    public void Sft_InMixedPrecision_WithoutPadding()
    {
        using var folder = new TemporaryDirectory();
        using (
            var summary = RunToSummary("sft", folder, "--steps", "20", "--held-out", "20", "--type", "bfloat16", "--padding-free", "true")
        )
            Assert.True(summary.RootElement.GetProperty("loss_difference_interval")[1].GetDouble() < 0);
        using (var model = Pretrained.Load(Path.Combine(folder.Path, "model")))
            Assert.Equal(ScalarType.BFloat16, model.TokenEmbeddings.dtype);
        var (code, _, errors) = SampleTests.Start(["samples/experiments/sft.cs", "--", "--output", folder.Path, "--type", "float16"]);
        Assert.Equal((1, "--type is 'float16', expected float32 or bfloat16"), (code, errors.Trim()));
    }

    [Fact]
    public void SelfRefine_PrintsTheTableOfEveryRound()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "self-refine",
            folder,
            "--steps",
            "2",
            "--held-out",
            "30",
            "--train",
            "150",
            "--rounds",
            "2",
            "--format-steps",
            "60"
        );
        var verified = summary.RootElement.GetProperty("external verifier");
        var accuracy = verified.GetProperty("accuracy").EnumerateArray().Select(value => value.GetDouble()).ToArray();
        Assert.Equal(3, accuracy.Length);
        // A verifier spoils nothing.
        Assert.Equal(accuracy.Order(), accuracy);
        Assert.All(
            verified.GetProperty("cells").EnumerateArray(),
            cells => Assert.Equal((0, 30), (cells[1].GetInt32(), cells.EnumerateArray().Sum(cell => cell.GetInt32())))
        );
        foreach (
            var way in (string[])
                ["intrinsic, always revised", "intrinsic, likelier text kept", "fine-tuned intrinsic", "fine-tuned external"]
        )
            Assert.Equal(2, summary.RootElement.GetProperty(way).GetProperty("repaired_interval").GetArrayLength());
        Assert.NotEmpty(File.ReadLines(Path.Combine(folder.Path, "pairs.jsonl")));
        Assert.True(File.Exists(Path.Combine(folder.Path, "model-external", "model.safetensors")));
    }

    [Fact]
    public void SelfRefine_TakesAModelAndQuestions()
    {
        using var folder = new TemporaryDirectory();
        var data = Path.Combine(folder.Path, "records.jsonl");
        File.WriteAllLines(data, Enumerable.Range(100, 24).Select(i => $$"""{"question":"{{i}}+{{i}}=","answer":"{{2 * i}}"}"""));
        using var summary = RunToSummary(
            "self-refine",
            folder,
            "--steps",
            "1",
            "--held-out",
            "6",
            "--rounds",
            "1",
            "--revision",
            "{problem}",
            "--model",
            Path.Combine(SampleTests.Root, "samples", "models", "arithmetic-base"),
            "--data",
            data
        );
        Assert.Equal(2, summary.RootElement.GetProperty("external verifier").GetProperty("accuracy").GetArrayLength());
    }

    [Fact]
    public void Rewards_ComparesTheFourSchemes()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("rewards", folder, "--held-out", "20", "--group", "4");
        foreach (var scheme in (string[])["binary", "step", "consistency", "preference"])
            Assert.InRange(summary.RootElement.GetProperty(scheme).GetProperty("mean").GetDouble(), 0, 1);
        // The mean of comparisons is a half, whatever the judge thinks; the right answer is always above the wrong one where it is the
        // reward.
        Assert.Equal(0.5, summary.RootElement.GetProperty("preference").GetProperty("mean").GetDouble(), 9);
        Assert.Equal(1, summary.RootElement.GetProperty("binary").GetProperty("right_above_wrong").GetDouble(), 9);
    }

    [Theory]
    [InlineData("grpo", "step")]
    [InlineData("dapo", "consistency")]
    [InlineData("rloo", "preference")]
    public void Grpo_TakesAnyPresetAndScheme(string preset, string reward)
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "grpo",
            folder,
            "--steps",
            "2",
            "--held-out",
            "8",
            "--batch-size",
            "4",
            "--preset",
            preset,
            "--reward",
            reward
        );
        Assert.Equal(
            (preset, reward),
            (summary.RootElement.GetProperty("preset").GetString(), summary.RootElement.GetProperty("reward").GetString())
        );
        Assert.Equal(2, summary.RootElement.GetProperty("accuracy_after_interval").GetArrayLength());
        Assert.True(File.Exists(Path.Combine(folder.Path, "model", "model.safetensors")));
    }

    [Fact]
    public void Ppo_GoesThroughItsThreeStages()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary(
            "ppo",
            folder,
            "--steps",
            "2",
            "--sft-steps",
            "2",
            "--reward-steps",
            "2",
            "--held-out",
            "8",
            "--batch-size",
            "4"
        );
        foreach (var stage in (string[])["base", "supervised", "PPO"])
            Assert.Equal(2, summary.RootElement.GetProperty($"accuracy_{stage}_interval").GetArrayLength());
        foreach (var model in (string[])["sft", "reward-model", "model"])
            Assert.True(File.Exists(Path.Combine(folder.Path, model, "model.safetensors")), model);
        var parts = File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).ToArray();
        Assert.Equal(6, parts.Length);
        Assert.Contains("ppo/kl", parts[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void RewardModel_TrainsOutcomeAndProcess()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("reward-model", folder, "--steps", "2", "--held-out", "8");
        var (low, high) = (
            summary.RootElement.GetProperty("process_area_interval")[0].GetDouble(),
            summary.RootElement.GetProperty("process_area_interval")[1].GetDouble()
        );
        Assert.InRange(summary.RootElement.GetProperty("process_area").GetDouble(), low, high);
        foreach (var name in (string[])["outcome_accuracy", "process_accuracy", "process_balanced_accuracy"])
            Assert.InRange(summary.RootElement.GetProperty(name).GetDouble(), 0, 1);
        var any = summary.RootElement.GetProperty("any is right").GetProperty("accuracy").GetDouble();
        foreach (var choice in (string[])["the first answer", "majority vote", "best by the outcome model"])
            Assert.InRange(summary.RootElement.GetProperty(choice).GetProperty("accuracy").GetDouble(), 0, any);
    }

    [Fact]
    public void Merge_MakesOneModelOfTwo_AndReadsAConfiguration()
    {
        using var folder = new TemporaryDirectory();
        using (var summary = RunToSummary("merge", folder, "--steps", "2", "--held-out", "4"))
        {
            Assert.InRange(summary.RootElement.GetProperty("best_sums").GetDouble(), 0, 1);
            Assert.InRange(summary.RootElement.GetProperty("best_strength").GetDouble(), 0.25, 1);
        }

        using (var merged = Pretrained.Load(folder.File("model")))
            Assert.Equal(3, merged.Config.Layers);
        using (var file = PostTrain.Models.Gguf.GgufFile.Open(folder.File("model.gguf")))
            Assert.Equal("llama", file.Metadata["general.architecture"]);
        Assert.Contains("<svg", File.ReadAllText(folder.File("report.html")), StringComparison.Ordinal);

        folder.Write("merge.yml", "merge_method: slerp\nbase_model: sums\nmodels: [{model: reversals}]\nparameters: {t: 0.5}\n");
        var (code, _, errors) = SampleTests.Start([
            "samples/experiments/merge.cs",
            "--",
            "--config",
            folder.File("merge.yml"),
            "--output",
            folder.File("own"),
        ]);
        Assert.True(code == 0, errors);
        using var own = Pretrained.Load(Path.Combine(folder.File("own"), "model"));
        Assert.Equal(19, own.VocabularySize);
    }

    [Fact]
    public void Search_ComparesEveryMethodByItsTokens()
    {
        using var folder = new TemporaryDirectory();
        using var summary = RunToSummary("search", folder, "--steps", "3", "--train", "40", "--held-out", "4", "--most", "4");
        string[] methods =
        [
            "one sample",
            "budget forcing",
            "majority of 4",
            "best of 4",
            "weighted vote of 4",
            "beam of 4",
            "diverse trees of 4",
            "tree of thoughts, 40 steps",
            "Monte-Carlo tree, 16 simulations",
            "adaptive up to 4",
        ];
        foreach (var name in methods)
        {
            var result = summary.RootElement.GetProperty(name);
            Assert.InRange(
                result.GetProperty("accuracy").GetDouble(),
                result.GetProperty("interval")[0].GetDouble(),
                result.GetProperty("interval")[1].GetDouble()
            );
            Assert.InRange(result.GetProperty("tokens").GetDouble(), 1, 4 * 16 * 44);
        }

        // The same samples are chosen from.
        Assert.Equal(
            summary.RootElement.GetProperty("majority of 4").GetProperty("tokens").GetDouble(),
            summary.RootElement.GetProperty("best of 4").GetProperty("tokens").GetDouble()
        );
        Assert.Equal(3 + methods.Length, File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")).Count());
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void Search_OnTheUsersModelAndProblems()
    {
        using var folder = new TemporaryDirectory();
        var data = Path.Combine(folder.Path, "records.jsonl");
        File.WriteAllLines(data, Enumerable.Range(100, 24).Select(i => $$"""{"question":"{{i}}+{{i}}=","answer":"#### {{2 * i}}"}"""));
        using var summary = RunToSummary(
            "search",
            folder,
            "--model",
            Path.Combine(SampleTests.Root, "samples", "models", "arithmetic-base"),
            "--data",
            data,
            "--template",
            "plain",
            "--separator",
            ";",
            "--steps",
            "2",
            "--held-out",
            "4",
            "--most",
            "4",
            "--tokens",
            "30"
        );
        Assert.Equal(2, summary.RootElement.GetProperty("beam of 4").GetProperty("interval").GetArrayLength());
    }

    // What every sample leaves: a report with a table, metrics, a summary; and a plain text where there is no terminal.
    private static JsonDocument RunToSummary(string sample, TemporaryDirectory folder, params string[] arguments)
    {
        var text = SampleTests.Run([SampleTests.PathOf(sample), "--", "--output", folder.Path, .. arguments]);
        Assert.DoesNotContain('\u001b', text);
        Assert.NotEmpty(File.ReadLines(Path.Combine(folder.Path, "metrics.jsonl")));
        Assert.Contains("<table", File.ReadAllText(Path.Combine(folder.Path, "report.html")), StringComparison.Ordinal);
        return JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.Path, "summary.json")));
    }
}
