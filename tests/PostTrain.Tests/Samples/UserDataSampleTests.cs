using System.Text.Json;
using PostTrain.Models;
using PostTrain.Training;

namespace PostTrain.Tests.Samples;

/// <summary>Every sample on a model and data of a user's, for a few steps; and what is said where they do not fit.</summary>
public sealed class UserDataSampleTests : IDisposable
{
    private readonly UserFiles files = new();

    public void Dispose() => files.Dispose();

    [Theory]
    [InlineData("sft", "alpaca", "alpaca")]
    [InlineData("sft", "sharegpt", "Q: {instruction} A:", "--lora", "2")]
    [InlineData("sft", "svamp", "plain", "--packing", "true")]
    [InlineData("lora", "self-instruct", "plain")]
    [InlineData("prompt-tuning", "gsm8k", "plain")]
    [InlineData("round-trip", "gsm8k", "plain")]
    [InlineData("dpo", "dialogues", "plain", "--lora", "2")]
    [InlineData("dpo", "judged", "plain", "--loss", "kto")]
    [InlineData("dpo", "pairs", "plain", "--loss", "aot")]
    [InlineData("reward-model", "pairs", "alpaca")]
    [InlineData("reward-model", "steps", "plain", "--kind", "process")]
    public void OnRecords_Trains(string sample, string form, string template, params string[] further)
    {
        using var summary = Run(sample, ["--data", files.Records(form), "--template", template, "--steps", "2", .. further]);
        Assert.Equal(2, summary.RootElement.GetProperty("steps").GetInt32());
        if (sample is "sft" or "dpo")
            Pretrained.Load(files.Result("model")).Dispose();
    }

    // The page of a policy's run has its curves, where its time went, and what was answered on the way.
    [Theory]
    [InlineData("grpo", "gsm8k", "--group", "4", "--batch-size", "2", "--reward", "consistency")]
    [InlineData("r1-zero", "svamp", "--template", "plain", "--group", "4", "--batch-size", "2")]
    [InlineData("ppo", "dialogues", "--template", "plain", "--batch-size", "4", "--sft-steps", "2", "--reward-steps", "2")]
    [InlineData("online-dpo", "gsm8k", "--reward", "judge", "--batch-size", "4")]
    public void OnRecords_LearnsFromItsOwnCompletions(string sample, string form, params string[] further)
    {
        Run(sample, ["--data", files.Records(form), "--tokens", "8", "--steps", "2", .. further]).Dispose();
        var page = File.ReadAllText(files.Result("report.html"));
        foreach (
            var text in (string[])
                ["ompletions over the run", "ime by part", ">rollout<", ">reward<", ">update<", "Throughput", "tokens per second"]
        )
            Assert.Contains(text, page, StringComparison.Ordinal);
        Assert.Equal(2, CompletionLog.Read(files.Result("completions.jsonl")).Select(completion => completion.Step).Distinct().Count());
        Pretrained.Load(files.Result("model")).Dispose();
    }

    // The student is its own teacher: nothing to learn, but from the data.
    [Theory]
    [InlineData("forward-kl")]
    [InlineData("gkd")]
    public void Distillation_OnRecords_StaysWithItsTeacher(string method)
    {
        using var summary = Run(
            "distillation",
            [
                "--teacher",
                files.Model,
                "--data",
                files.Records("alpaca"),
                "--steps",
                "2",
                "--tokens",
                "8",
                "--batch-size",
                "4",
                "--method",
                method,
            ]
        );
        double Divergence(string model) => summary.RootElement.GetProperty(model).GetProperty("forward_kl").GetDouble();
        Assert.Equal(0, Divergence("before"), 6);
        Assert.True(Divergence(method) < Divergence("SFT"));
        Assert.False(summary.RootElement.TryGetProperty("accuracy_minus_sft", out _));
        Pretrained.Load(files.Result("model")).Dispose();
    }

    [Fact]
    public void Distillation_FromATeacherOfAnotherTokenizer_IsRefusedInALine()
    {
        string[] student =
        [
            "samples/experiments/distillation.cs",
            "--",
            "--output",
            files.Output,
            "--model",
            files.Model,
            "--data",
            files.Records("alpaca"),
        ];
        var (code, _, errors) = SampleTests.Start([.. student, "--teacher", Path.Combine("samples", "models", "arithmetic-base")]);
        Assert.Equal((1, 1), (code, errors.Trim().Split('\n').Length));
        Assert.Contains("expected the student's tokenizer", errors, StringComparison.Ordinal);
        (code, _, errors) = SampleTests.Start(student);
        Assert.Equal((1, "--model is the student, expected --teacher with the teacher's directory too"), (code, errors.Trim()));
    }

    [Fact]
    public void Rewards_OnRecords_ScoresThem()
    {
        using var summary = Run("rewards", ["--data", files.Records("svamp"), "--tokens", "8", "--group", "3"]);
        Assert.Equal(0.5, summary.RootElement.GetProperty("preference").GetProperty("mean").GetDouble(), 9);
    }

    // A line, not a stack: what was found, and what was expected.
    [Theory]
    [InlineData("{\"prompt\":\"a\",\"completion\"", "plain", "line 1")]
    [InlineData("", "plain", "holds no records")]
    [InlineData("{\"question\":\"a\"}", "plain", "has the fields question, expected prompt and completion")]
    [InlineData("{\"prompt\":\"a\",\"completion\":\"b\"}", "plain", "expected at least 2: one for training, one held out")]
    [InlineData("{\"prompt\":\"a\",\"completion\":\"b\"}", "chat", "has no chat template, expected chat_template.jinja")]
    [InlineData("{\"prompt\":\"a\",\"completion\":\"b\"}", "neither", "expected plain, alpaca, r1-zero, chat, or a format")]
    public void WhatDoesNotFit_IsSaidInALine(string content, string template, string reason) => Refused(content, template, reason);

    [Fact]
    public void WhatIsTooLongOrUnspelt_IsCountedAndNamed()
    {
        var record = $$"""{"prompt":"{{new string('a', 300)}}","completion":"b"}""";
        Refused(
            $"{record}\n{record}\n{{\"prompt\":\"é\",\"completion\":\"b\"}}",
            "plain",
            "0 of 3 examples can be used, expected at least 2: 2 have more than the 256 tokens that fit into the "
                + "model's context (the shortest of them 301); 1 have text that the tokenizer cannot encode (the first: text has 'é'"
        );
    }

    [Fact]
    public void NoSuchFileOrModel_IsSaidInALine()
    {
        var (code, _, errors) = SampleTests.Start([
            "samples/experiments/sft.cs",
            "--",
            "--model",
            files.Model,
            "--data",
            files.Model + ".jsonl",
            "--output",
            files.Output,
        ]);
        Assert.Equal((1, true), (code, errors.StartsWith($"{files.Model}.jsonl does not exist", StringComparison.Ordinal)));
        (code, _, errors) = SampleTests.Start([
            "samples/experiments/sft.cs",
            "--",
            "--model",
            files.Model + "-2",
            "--data",
            files.Records("alpaca"),
            "--output",
            files.Output,
        ]);
        Assert.Equal((1, 1), (code, errors.Trim().Split('\n').Length));
        Assert.Contains("model-2", errors, StringComparison.Ordinal);
    }

    private void Refused(string content, string template, string reason)
    {
        var (code, _, errors) = SampleTests.Start([
            "samples/experiments/sft.cs",
            "--",
            "--model",
            files.Model,
            "--data",
            files.Write("data.jsonl", content),
            "--template",
            template,
            "--output",
            files.Output,
        ]);
        Assert.Equal((1, 1), (code, errors.Trim().Split('\n').Length));
        Assert.Contains(reason, errors, StringComparison.Ordinal);
    }

    private JsonDocument Run(string sample, string[] arguments)
    {
        var text = SampleTests.Run([
            SampleTests.PathOf(sample),
            "--",
            "--model",
            files.Model,
            "--output",
            files.Output,
            "--held-out",
            "4",
            .. arguments,
        ]);
        Assert.DoesNotContain('\u001b', text);
        Assert.DoesNotContain("NaN", text, StringComparison.Ordinal);
        Assert.NotEmpty(File.ReadLines(files.Result("metrics.jsonl")));
        Assert.Contains("<table", File.ReadAllText(files.Result("report.html")), StringComparison.Ordinal);
        return JsonDocument.Parse(File.ReadAllText(files.Result("summary.json")));
    }
}
