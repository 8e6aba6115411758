namespace PostTrain.Tool.Tests;

/// <summary>Files of options: what they may hold, and that a run's own file runs it again.</summary>
public sealed class RunFileTests : IDisposable
{
    private readonly Subject subject = new();

    public void Dispose() => subject.Dispose();

    [Fact]
    public async Task RunsFile_RunsAgain_ToTheSameBytes()
    {
        await Subject.RunAsync([.. Sft("first"), "--steps", "4", "--lora", "2", "--merge", "--target-modules", "q_proj", "v_proj"]);
        await Subject.RunAsync("sft", "--config", subject.PathOf("first", "run.yaml"), "--output", subject.PathOf("second"));
        foreach (var folder in (string[])["adapter", "model", "checkpoints"])
        {
            var (first, second) = (Subject.Files(subject.PathOf("first", folder)), Subject.Files(subject.PathOf("second", folder)));
            Assert.Equal(first.Keys.Order(), second.Keys.Order());
            foreach (var (name, content) in first)
                if (!name.EndsWith("state.json", StringComparison.Ordinal))
                    Assert.True(content.SequenceEqual(second[name]), $"{folder}/{name} differs");
        }
        Assert.Equal(File.ReadAllText(subject.PathOf("first", "run.yaml")), File.ReadAllText(subject.PathOf("second", "run.yaml")));
    }

    [Fact]
    public async Task CommandLine_Wins()
    {
        var file = Write(
            "steps: 50\nbatch-size: 4\nmodel: " + subject.Model + "\ndata: " + subject.Demonstrations + "\nlearning-rate: 1e-3\n"
        );
        var output = await Subject.RunAsync("sft", "--config", file, "--steps", "3", "--output", subject.PathOf("out"));
        Assert.Contains("step 3/3", output, StringComparison.Ordinal);
        var written = File.ReadAllLines(subject.PathOf("out", "run.yaml"));
        Assert.Contains("steps: 3", written);
        Assert.Contains("batch-size: 4", written);
        Assert.Contains("learning-rate: 0.001", written);
    }

    [Theory]
    [InlineData("step: 5", "there is no option 'step'; did you mean 'steps'?")]
    [InlineData("output: x", "there is no option 'output'")]
    [InlineData("command: dpo", "command is 'dpo', expected 'sft'")]
    [InlineData("steps: 0", "--steps is 0, expected at least 1")]
    [InlineData("steps: [1, 2]", "--steps")]
    [InlineData("steps: {a: 1}", "must be a value or a list of values")]
    [InlineData("- steps", "expected one YAML mapping")]
    [InlineData("steps: 1\nsteps: 2", "line 2")]
    [InlineData("steps: \"1", "line")]
    [InlineData("", "expected one YAML mapping")]
    [InlineData("a: &a [x]\nb: *b", "line")]
    public async Task OtherFiles_AreRefused(string text, string message)
    {
        var (code, _, errors) = await Subject.StartAsync([.. Sft("out"), "--config", Write(text)]);
        Assert.True(code == 2, $"{code}: {errors}");
        Assert.Contains(message, errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(subject.PathOf("out")));
    }

    [Fact]
    public async Task EmptyValues_AreLeftOut()
    {
        var file = Write("lora:\nsteps: 2\nlicense: null\n");
        await Subject.RunAsync([.. Sft("out"), "--config", file]);
        Assert.DoesNotContain("lora: ", File.ReadAllText(subject.PathOf("out", "run.yaml")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "abc", 3)]
    [InlineData("abc", "abc", 0)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("step", "steps", 1)]
    public void Distance_IsLevenshteins(string a, string b, int distance)
    {
        Assert.Equal(distance, NearestName.Distance(a, b));
        Assert.Equal(distance, NearestName.Distance(b, a));
    }

    private string[] Sft(string output) =>
        ["sft", "--model", subject.Model, "--data", subject.Demonstrations, "--output", subject.PathOf(output)];

    private string Write(string text)
    {
        var path = subject.PathOf("options.yaml");
        File.WriteAllText(path, text);
        return path;
    }
}
