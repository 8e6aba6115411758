namespace PostTrain.Tool.Tests;

/// <summary>Command lines that cannot be run: exit code 2 and one line, before anything is read or written.</summary>
public sealed class RefusalTests : IDisposable
{
    private readonly Subject subject = new();

    public void Dispose() => subject.Dispose();

    [Theory]
    [InlineData("sft", "--steps 0", "--steps is 0, expected at least 1")]
    [InlineData("sft", "--steps x", "--steps")]
    [InlineData("sft", "--steps 2 --epochs 1", "both given")]
    [InlineData("sft", "--lora -3", "--lora is -3, expected at least 1")]
    [InlineData("sft", "--lora 0", "at least 1")]
    [InlineData("sft", "--learning-rate NaN", "a finite number above 0")]
    [InlineData("sft", "--learning-rate -1e-3", "a finite number above 0")]
    [InlineData("sft", "--batch-size 0", "at least 1")]
    [InlineData("sft", "--lora-dropout 1", "below 1")]
    [InlineData("sft", "--quantize nf4", "without --lora")]
    [InlineData("sft", "--merge", "without --lora")]
    [InlineData("sft", "--lora 2 --quantize nf5", "did you mean 'nf4'?")]
    [InlineData("sft", "--lora 2 --quantize nf4 --merge", "--merge is given with --quantize")]
    [InlineData("sft", "--schedule cosin", "did you mean 'cosine'?")]
    [InlineData("sft", "--template alpacca", "did you mean 'alpaca'?")]
    [InlineData("sft", "--bach-size 4", "there is no option '--bach-size'; did you mean '--batch-size'?")]
    [InlineData("sft", "--type float16", "expected one of float32, bfloat16")]
    [InlineData("sft", "--resume --overwrite", "both given")]
    [InlineData("sft", "--resume", "holds no run")]
    [InlineData("dpo", "--loss ippo", "did you mean 'ipo'?")]
    [InlineData("dpo", "--beta 0", "above 0")]
    [InlineData("reward", "--centering -1", "at least 0")]
    [InlineData("reward", "--lora 2 --quantize nf4", "saved whole")]
    [InlineData("grpo", "--reward mth", "did you mean 'math'?")]
    [InlineData("grpo", "--reward format", "format needs an argument")]
    [InlineData("grpo", "--reward math:1", "math takes no argument")]
    [InlineData("grpo", "--reward x*math", "the weight is 'x'")]
    [InlineData("grpo", "--reward format:[", "--reward is 'format:['")]
    [InlineData("grpo", "--group-size 0", "at least 1")]
    [InlineData("grpo", "--temperature 0", "above 0")]
    [InlineData("grpo", "--top-p 1.5", "expected")]
    [InlineData("ppo", "--lambda 1.5", "0 to 1")]
    [InlineData("ppo", "--kl -1", "at least 0")]
    [InlineData("distill", "--teacher x --method klx", "--method is 'klx'")]
    [InlineData("distill", "", "--teacher")]
    public async Task Training_RefusesInOneLine(string command, string options, string message)
    {
        var output = subject.PathOf("out");
        var (code, _, errors) = await Subject.StartAsync([
            command,
            "--model",
            subject.Model,
            "--data",
            subject.Demonstrations,
            "--output",
            output,
            .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        ]);
        AssertRefused(code, errors, message);
        Assert.False(Directory.Exists(output));
    }

    [Theory]
    [InlineData("", "unknown")]
    [InlineData("sfx", "did you mean 'sft'?")]
    [InlineData("sft", "--model")]
    [InlineData("generate --tokens 0 --model x", "at least 1")]
    [InlineData("generate --temperature -1 --model x", "at least 0")]
    [InlineData("evaluate --model x", "--data")]
    [InlineData("evaluate --model x --data y --limit 0", "at least 1")]
    [InlineData("merge-adapter --model x", "--adapter")]
    [InlineData("export --model x --output y --type q9", "expected one of f32, f16, q8_0")]
    [InlineData("report", "runs")]
    [InlineData("report nowhere", "nowhere has no metrics.jsonl")]
    [InlineData("data x --model y --kind pair", "did you mean 'pairs'?")]
    [InlineData("sft --config nowhere.yaml", "there is no file 'nowhere.yaml'")]
    public async Task Others_RefuseInOneLine(string line, string message)
    {
        var (code, _, errors) = await Subject.StartAsync(line.Length == 0 ? ["--unknown"] : line.Split(' '));
        AssertRefused(code, errors, message);
    }

    [Theory]
    [InlineData("sft", "--data")]
    [InlineData("sft", "--model")]
    [InlineData("grpo", "--reward")]
    [InlineData("distill", "--teacher")]
    public async Task MissingFiles_FailInOneLine_AndNothingIsWritten(string command, string option)
    {
        var given = new Dictionary<string, string>
        {
            ["--model"] = subject.Model,
            ["--data"] = command == "grpo" ? subject.Problems : subject.Demonstrations,
            ["--output"] = subject.PathOf("out"),
        };
        if (command == "distill")
            given["--teacher"] = subject.Model;
        if (command == "grpo")
            given["--tokens"] = "4";
        given[option] = option == "--reward" ? "model:" + subject.PathOf("nowhere") : subject.PathOf("nowhere");
        var (code, _, errors) = await Subject.StartAsync([command, .. given.SelectMany(pair => (string[])[pair.Key, pair.Value])]);
        Assert.Equal(1, code);
        Assert.Contains("nowhere", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(subject.PathOf("out")));
    }

    [Fact]
    public async Task BrokenRecord_IsNamed_AndNothingIsWritten()
    {
        var data = subject.Write("broken", 3, i => i == 12 ? "{\"prompt\":" : """{"prompt":"1","completion":"2"}""");
        var (code, _, errors) = await Subject.StartAsync(
            "sft",
            "--model",
            subject.Model,
            "--data",
            data,
            "--output",
            subject.PathOf("out")
        );
        Assert.Equal(1, code);
        Assert.Contains("line 3", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(subject.PathOf("out")));
    }

    private static void AssertRefused(int code, string errors, string message)
    {
        Assert.True(code == 2, $"{code}: {errors}");
        Assert.Contains(message, errors, StringComparison.Ordinal);
        Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
