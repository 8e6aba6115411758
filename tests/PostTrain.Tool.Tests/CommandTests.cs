using System.Text.Json;
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Tool.Tests;

/// <summary>Every command on a small model: what it leaves, and that the result can be used.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly Subject subject = new();

    public void Dispose() => subject.Dispose();

    [Theory]
    [InlineData("sft", "demonstrations", "--steps 3")]
    [InlineData("sft", "demonstrations", "--steps 3 --packing --padding-free --weight-decay 0.1 --type bfloat16")]
    [InlineData("dpo", "pairs", "--steps 3")]
    [InlineData("dpo", "pairs", "--steps 3 --loss simpo --beta 1")]
    [InlineData("dpo", "pairs", "--steps 3 --loss orpo")]
    [InlineData("dpo", "pairs", "--steps 3 --loss aot")]
    [InlineData("dpo", "pairs", "--steps 3 --loss kto")]
    [InlineData("grpo", "problems", "--steps 2 --tokens 4 --reward math --reward 0.5*format:\\d+ --reward -0.1*repetition")]
    [InlineData("grpo", "problems", "--steps 2 --tokens 4 --loss dapo --beta 0.1 --reward finished --group-size 4")]
    [InlineData("ppo", "problems", "--steps 2 --tokens 4 --reward finished")]
    [InlineData("distill", "demonstrations", "--steps 3 --method jsd --teacher base")]
    [InlineData("distill", "problems", "--steps 2 --method gkd --tokens 4 --teacher base")]
    public async Task Training_LeavesAModelThatGenerates(string command, string data, string options)
    {
        var output = subject.PathOf("out");
        await Subject.RunAsync([command, .. Common(data), .. Split(options)]);
        foreach (
            var name in (string[])
                ["run.yaml", "metrics.jsonl", "report.html", "summary.json", "model/config.json", "model/model.safetensors"]
        )
            Assert.True(File.Exists(Path.Combine(output, name)), name);
        Assert.Single(Directory.GetFiles(Path.Combine(output, "tensorboard")));
        Assert.Equal(data is "problems", File.Exists(Path.Combine(output, "completions.jsonl")));
        var card = File.ReadAllText(Path.Combine(output, "model", "README.md"));
        Assert.Contains($"- {command}\n", card, StringComparison.Ordinal);
        using var summary = JsonDocument.Parse(File.ReadAllText(Path.Combine(output, "summary.json")));
        Assert.Equal(command, summary.RootElement.GetProperty("method").GetString());
        Assert.Equal(64, summary.RootElement.GetProperty("data_sha256").GetString()!.Length);
        Assert.Equal(subject.Model, summary.RootElement.GetProperty("options").GetProperty("model").GetString());
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(output), entry => Path.GetFileName(entry).StartsWith('.'));
        var text = await Subject.RunAsync(
            "generate",
            "--model",
            Path.Combine(output, "model"),
            "--prompt",
            "11+1=",
            "--tokens",
            "5",
            "--temperature",
            "1"
        );
        Assert.InRange(text.TrimEnd('\n').Length, 0, 64);
    }

    [Fact]
    public async Task HeldOut_IsMeasuredBeforeTheFirstStep_AndThatIsTheOneStart()
    {
        await Subject.RunAsync(["sft", .. Common("demonstrations"), "--steps", "20", "--learning-rate", "0.01", "--held-out", "10"]);
        var reports = MetricsLog.Read(subject.PathOf("out", "metrics.jsonl"));
        Assert.Equal(21, reports.Count);
        Assert.Equal((0, true), (reports[0].Step, double.IsNaN(reports[0].Loss)));
        using var summary = JsonDocument.Parse(File.ReadAllText(subject.PathOf("out", "summary.json")));
        double before = summary.RootElement.GetProperty("loss_before").GetDouble(),
            after = summary.RootElement.GetProperty("loss_after").GetDouble();
        Assert.Equal((reports[0].Metrics["eval/loss"], reports[^1].Metrics["eval/loss"]), (before, after));
        Assert.True(after < before);
        var page = File.ReadAllText(subject.PathOf("out", "report.html"));
        // Tiles: of two losses only the held-out one says where it began.
        Assert.Equal(1, page.Split("class=\"note\">from ").Length - 1);
    }

    [Fact]
    public async Task Adapter_IsPefts_AndMergesToTheMergedModel()
    {
        await Subject.RunAsync(["sft", .. Common("demonstrations"), "--steps", "3", "--lora", "2", "--merge", "--learning-rate", "0.05"]);
        await Subject.RunAsync(
            "merge-adapter",
            "--model",
            subject.Model,
            "--adapter",
            subject.PathOf("out", "adapter"),
            "--output",
            subject.PathOf("merged")
        );
        Assert.True(
            File.ReadAllBytes(subject.PathOf("merged", "model.safetensors"))
                .SequenceEqual(File.ReadAllBytes(subject.PathOf("out", "model", "model.safetensors")))
        );
        Assert.False(
            File.ReadAllBytes(subject.PathOf("merged", "model.safetensors"))
                .SequenceEqual(File.ReadAllBytes(Path.Combine(subject.Model, "model.safetensors")))
        );
        using var model = Pretrained.Load(subject.Model);
        using var adapted = AdaptedModel.Load(model, subject.PathOf("out", "adapter"));
        Assert.NotNull(TokenizerFiles.Load(subject.PathOf("out", "adapter")));
        Assert.Contains(
            "base_model_relation: adapter",
            File.ReadAllText(subject.PathOf("out", "adapter", "README.md")),
            StringComparison.Ordinal
        );

        string[] again =
        [
            "merge-adapter",
            "--model",
            subject.Model,
            "--adapter",
            subject.PathOf("out", "adapter"),
            "--output",
            subject.PathOf("merged"),
        ];
        Assert.Equal(2, (await Subject.StartAsync(again)).Code);
        await Subject.RunAsync([.. again, "--overwrite"]);
        Assert.Equal(2, (await Subject.StartAsync([.. again[..^1], subject.PathOf("out"), "--overwrite"])).Code);
        Assert.True(File.Exists(subject.PathOf("out", "run.yaml")));
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("int8")]
    public async Task QuantizedBase_TrainsAnAdapter(string form)
    {
        await Subject.RunAsync(["sft", .. Common("demonstrations"), "--steps", "2", "--lora", "2", "--quantize", form]);
        Assert.True(File.Exists(subject.PathOf("out", "adapter", "adapter_model.safetensors")));
        Assert.False(Directory.Exists(subject.PathOf("out", "model")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--lora 2")]
    public async Task RewardModel_JudgesForGrpo(string options)
    {
        await Subject.RunAsync(["reward", .. Common("pairs"), "--steps", "3", .. Split(options)]);
        using (var model = Pretrained.LoadRewardModel(subject.PathOf("out", "model")))
            Assert.Equal(1, model.Labels);
        var output = await Subject.RunAsync(
            "grpo",
            "--model",
            subject.Model,
            "--data",
            subject.Problems,
            "--steps",
            "2",
            "--tokens",
            "4",
            "--reward",
            $"2*model:{subject.PathOf("out", "model")}",
            "--output",
            subject.PathOf("grpo")
        );
        Assert.Contains("reward_model", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Evaluate_IsTheMeanOverAllTokens_WhateverTheBatch()
    {
        string[] evaluate = ["evaluate", "--model", subject.Model, "--data", subject.Demonstrations];
        var file = subject.PathOf("numbers.json");
        double[] losses = new double[2];
        for (int i = 0; i < 2; i++)
        {
            await Subject.RunAsync([.. evaluate, "--batch-size", i == 0 ? "1" : "7", "--output", file]);
            using var numbers = JsonDocument.Parse(File.ReadAllText(file));
            losses[i] = numbers.RootElement.GetProperty("loss").GetDouble();
            Assert.Equal(Math.Exp(losses[i]), numbers.RootElement.GetProperty("perplexity").GetDouble(), 9);
            Assert.Equal(40, numbers.RootElement.GetProperty("records").GetInt32());
            // Two digits and the end.
            Assert.Equal(120, numbers.RootElement.GetProperty("tokens").GetDouble());
        }
        Assert.Equal(losses[0], losses[1], 5);
        // A model of weights near 0 knows nothing: the loss is that of a uniform guess.
        using var model = Pretrained.Load(subject.Model);
        Assert.InRange(losses[0], Math.Log(model.VocabularySize) - 0.3, Math.Log(model.VocabularySize) + 0.3);

        var output = await Subject.RunAsync(
            "evaluate",
            "--model",
            subject.Model,
            "--data",
            subject.Problems,
            "--answers",
            "--limit",
            "5",
            "--tokens",
            "3"
        );
        Assert.Contains("right_answers", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_WritesAGgufFile()
    {
        var file = subject.PathOf("model.gguf");
        await Subject.RunAsync("export", "--model", subject.Model, "--output", file, "--type", "f32");
        Assert.Equal("GGUF"u8.ToArray(), File.ReadAllBytes(file)[..4]);
        var (code, _, _) = await Subject.StartAsync("export", "--model", subject.Model, "--output", file);
        Assert.Equal(2, code);
    }

    [Fact]
    public async Task Report_LaysRunsOverOneAnother()
    {
        foreach (var rate in (string[])["0.01", "0.001"])
            await Subject.RunAsync(
                "sft",
                "--model",
                subject.Model,
                "--data",
                subject.Demonstrations,
                "--steps",
                "4",
                "--learning-rate",
                rate,
                "--output",
                subject.PathOf("rate" + rate)
            );
        var page = subject.PathOf("comparison.html");
        await Subject.RunAsync("report", subject.PathOf("rate0.01"), subject.PathOf("rate0.001"), "--output", page);
        var text = File.ReadAllText(page);
        foreach (var part in (string[])["rate0.01", "rate0.001", "learning-rate", "Loss, held out", "<script"])
            Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.DoesNotContain("batch-size", text, StringComparison.Ordinal);

        var own = subject.PathOf("rate0.01", "report.html");
        File.Delete(own);
        await Subject.RunAsync("report", subject.PathOf("rate0.01"));
        Assert.Contains("learning-rate", File.ReadAllText(own), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("demonstrations")]
    [InlineData("pairs")]
    [InlineData("problems")]
    public async Task Data_ShowsRecords(string kind)
    {
        var output = await Subject.RunAsync("data", subject.PathOf(kind + ".jsonl"), "--kind", kind, "--model", subject.Model);
        Assert.Contains($"{kind}: 40 examples of 40 records in 1 file", output, StringComparison.Ordinal);
        Assert.Contains(kind == "problems" ? "10+1=" : "10+1=⟦1", output, StringComparison.Ordinal);
        // A question with an answer is a demonstration too, where nothing else is said.
        if (kind != "problems")
            Assert.Equal(output, await Subject.RunAsync("data", subject.PathOf(kind + ".jsonl"), "--model", subject.Model));
    }

    // Every turn of the assistant is learnt, in the preview as in the training.
    [Fact]
    public async Task Conversations_LearnEveryTurn()
    {
        using var chat = new Subject(isChat: true);
        var data = chat.Write(
            "chats",
            12,
            i =>
                i == 14
                    ? """{"messages":[]}"""
                    : $$"""{"note":"x","messages":[{"role":"user","content":"{{i}}"},"""
                        + $$"""{"role":"assistant","content":"a{{i}}"},{"role":"user","content":"c"},"""
                        + $$"""{"role":"assistant","content":"d{{i}}"}]}"""
        );
        var view = await Subject.RunAsync("data", data, "--model", chat.Model, "--example", "1");
        Assert.Contains("user: 11", view, StringComparison.Ordinal);
        Assert.Contains("⟦a11", view, StringComparison.Ordinal);
        Assert.Contains("⟦d11", view, StringComparison.Ordinal);
        Assert.Contains("1 records are skipped", view, StringComparison.Ordinal);
        Assert.Contains("note", view, StringComparison.Ordinal);

        string[] sft = ["sft", "--model", chat.Model, "--data", data, "--steps", "2", "--batch-size", "2"];
        var (code, _, errors) = await Subject.StartAsync([.. sft, "--output", chat.PathOf("refused")]);
        Assert.Equal(1, code);
        Assert.Contains("line 5", errors, StringComparison.Ordinal);
        var output = await Subject.RunAsync([.. sft, "--skip-invalid", "--output", chat.PathOf("out")]);
        Assert.Contains("10 training records, 1 held out", output, StringComparison.Ordinal);
        await Subject.RunAsync([
            .. sft,
            "--skip-invalid",
            "--max-length",
            "20",
            "--truncate",
            "left",
            "--learn",
            "last",
            "--output",
            chat.PathOf("cut"),
        ]);
        Assert.Contains("max-length: 20", File.ReadAllText(chat.PathOf("cut", "run.yaml")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_KeepsTheConversation()
    {
        using var chat = new Subject(isChat: true);
        string[] generate = ["generate", "--model", chat.Model, "--tokens", "3", "--temperature", "0"];
        var (code, output, errors) = await Subject.StartAsync(generate, new StringReader("one\n\ntwo\n/new\none\n/exit\nthree\n"));
        Assert.True(code == 0, errors);
        var answers = output.Split('\n');
        Assert.Equal(4, answers.Length);
        Assert.Equal(answers[0], answers[2]);
        // Longer than the context: said, and the chat goes on.
        (code, _, errors) = await Subject.StartAsync(generate, new StringReader(new string('a', 70) + "\none\n"));
        Assert.Equal(0, code);
        Assert.Contains("tokens, the model's context 64", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateWithAdapter_IsGenerateWithTheMergedModel()
    {
        await Subject.RunAsync(["sft", .. Common("demonstrations"), "--steps", "5", "--lora", "2", "--merge", "--learning-rate", "0.05"]);
        string[] rest = ["--prompt", "11+1=", "--tokens", "5", "--temperature", "0"];
        Assert.Equal(
            await Subject.RunAsync(["generate", "--model", subject.PathOf("out", "model"), .. rest]),
            await Subject.RunAsync(["generate", "--model", subject.Model, "--adapter", subject.PathOf("out", "adapter"), .. rest])
        );
    }

    private string[] Common(string data) =>
        ["--model", subject.Model, "--data", subject.PathOf(data + ".jsonl"), "--output", subject.PathOf("out"), "--batch-size", "4"];

    private string[] Split(string options) =>
        [.. options.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(part => part == "base" ? subject.Model : part)];
}
