using System.Diagnostics;
using PostTrain.Training;

namespace PostTrain.Tool.Tests;

/// <summary>Runs that are stopped or killed go on to the bytes of an uninterrupted run; a folder in use is never written over by
/// accident.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly Subject subject = new();

    public void Dispose() => subject.Dispose();

    [Theory]
    [InlineData("sft", "demonstrations", "--lora 2")]
    [InlineData("dpo", "pairs", "")]
    [InlineData("grpo", "problems", "--tokens 4 --reward finished")]
    public async Task Stopped_LeavesACheckpoint_SaysHowToGoOn_AndGoesOnToTheSameBytes(string command, string data, string options)
    {
        string[] arguments =
        [
            command,
            "--model",
            subject.Model,
            "--data",
            subject.PathOf(data + ".jsonl"),
            "--steps",
            "8",
            "--batch-size",
            "4",
            "--checkpoint-every",
            "100",
            .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        ];
        string whole = subject.PathOf("whole"),
            stopped = subject.PathOf("stopped");
        await Subject.RunAsync([.. arguments, "--output", whole]);

        using var stop = new CancellationTokenSource();
        var (code, _, errors) = await Subject.StartAsync([.. arguments, "--output", stopped], TextReader.Null, stop, "step 3/8");
        Assert.Equal(130, code);
        var steps = Checkpoint.ReadState(Checkpoint.Latest(Path.Combine(stopped, "checkpoints"))!).Step;
        Assert.InRange(steps, 3, 7);
        Assert.Contains($"stopped after step {steps}", errors, StringComparison.Ordinal);
        Assert.Contains($"posttrain {command} --resume --output {stopped}", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(stopped, "model")));

        var output = await Subject.RunAsync(command, "--resume", "--output", stopped);
        Assert.Contains($"going on after step {steps}", output, StringComparison.Ordinal);
        AssertSame(whole, stopped);

        // Once more: there is nothing left to do, and nothing changes.
        await Subject.RunAsync(command, "--resume", "--output", stopped);
        AssertSame(whole, stopped);
    }

    [Fact]
    public async Task StoppedBeforeTheFirstStep_StartsFromTheBeginning()
    {
        string[] arguments =
        [
            "sft",
            "--model",
            subject.Model,
            "--data",
            subject.Demonstrations,
            "--steps",
            "3",
            "--output",
            subject.PathOf("out"),
        ];
        using var stop = new CancellationTokenSource();
        var (code, _, errors) = await Subject.StartAsync(arguments, TextReader.Null, stop, "results in");
        Assert.Equal(130, code);
        Assert.Contains("--resume", errors, StringComparison.Ordinal);
        var output = await Subject.RunAsync("sft", "--resume", "--output", subject.PathOf("out"));
        Assert.Contains("step 3/3", output, StringComparison.Ordinal);
        Assert.Equal(4, MetricsLog.Read(subject.PathOf("out", "metrics.jsonl")).Count);
    }

    [Fact]
    public async Task UsedFolder_IsRefused_OrReplaced()
    {
        string[] arguments =
        [
            "sft",
            "--model",
            subject.Model,
            "--data",
            subject.Demonstrations,
            "--steps",
            "2",
            "--output",
            subject.PathOf("out"),
        ];
        await Subject.RunAsync(arguments);
        var before = Subject.Files(subject.PathOf("out"));
        var (code, _, errors) = await Subject.StartAsync(arguments);
        Assert.Equal(2, code);
        Assert.Contains("--resume goes on with it, --overwrite replaces it", errors, StringComparison.Ordinal);
        Assert.Equal(before.Keys.Order(), Subject.Files(subject.PathOf("out")).Keys.Order());

        File.WriteAllText(subject.PathOf("out", "notes.txt"), "mine");
        // A run that fails before it begins leaves the old one.
        Assert.Equal(1, (await Subject.StartAsync([.. arguments, "--overwrite", "--target-modules", "nothing", "--lora", "2"])).Code);
        Assert.True(File.Exists(subject.PathOf("out", "model", "model.safetensors")));
        await Subject.RunAsync([.. arguments, "--overwrite", "--lora", "2"]);
        Assert.False(Directory.Exists(subject.PathOf("out", "model")));
        Assert.Equal("mine", File.ReadAllText(subject.PathOf("out", "notes.txt")));

        Directory.CreateDirectory(subject.PathOf("other"));
        File.WriteAllText(subject.PathOf("other", "notes.txt"), "mine");
        (code, _, errors) = await Subject.StartAsync([.. arguments[..^1], subject.PathOf("other"), "--overwrite"]);
        Assert.Equal(2, code);
        Assert.Contains("not empty and holds no run", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Killed_GoesOnToTheSameBytes_InTheNextFreeFolder()
    {
        string[] arguments =
        [
            Tool,
            "sft",
            "--model",
            subject.Model,
            "--data",
            subject.Demonstrations,
            "--steps",
            "400",
            "--batch-size",
            "4",
            "--checkpoint-every",
            "5",
            "--lora",
            "2",
            "--lora-dropout",
            "0.1",
        ];
        using (var process = Start(arguments))
        {
            while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith("step 20/", StringComparison.Ordinal)) { }
            process.Kill();
            process.WaitForExit();
        }
        var killed = subject.PathOf("runs", "sft");
        Assert.NotNull(Checkpoint.Latest(Path.Combine(killed, "checkpoints")));
        Assert.False(Directory.Exists(Path.Combine(killed, "adapter")));
        Assert.Equal(0, End(Start([Tool, "sft", "--resume", "--output", killed])));
        Assert.Equal(0, End(Start(arguments)));
        AssertSame(subject.PathOf("runs", "sft-2"), killed);
    }

    [Fact]
    public void Dots_FollowEachOther_WhileNothingIsSaid()
    {
        var time = new Time();
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var (lines, progress) = DottedWriter.Pair(output, errors, time);
        progress.WriteLine("loading");
        using (progress.Busy())
        {
            time.Advance(7);
            Assert.Equal($"loading{Environment.NewLine}...", errors.ToString());
            lines.WriteLine("step 1");
            time.Advance(1);
        }
        Assert.Equal($"loading{Environment.NewLine}...{Environment.NewLine}", errors.ToString());
        Assert.Equal($"step 1{Environment.NewLine}", output.ToString());
        time.Advance(60);
        Assert.DoesNotContain("....", errors.ToString(), StringComparison.Ordinal);
    }

    private static string Tool => typeof(PostTrainTool).Assembly.Location;

    private Process Start(string[] arguments) =>
        Process.Start(
            new ProcessStartInfo("dotnet", arguments)
            {
                WorkingDirectory = subject.Folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;

    private static int End(Process process)
    {
        using (process)
        {
            var errors = process.StandardError.ReadToEndAsync();
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode;
        }
    }

    private static void AssertSame(string whole, string other)
    {
        foreach (var folder in (string[])["model", "adapter", "checkpoints"])
        {
            if (!Directory.Exists(Path.Combine(whole, folder)))
                continue;
            var (first, second) = (Subject.Files(Path.Combine(whole, folder)), Subject.Files(Path.Combine(other, folder)));
            foreach (var (name, content) in first)
                if (name.EndsWith(".safetensors", StringComparison.Ordinal) && second.TryGetValue(name, out var found))
                    Assert.True(content.SequenceEqual(found), $"{folder}/{name} differs");
            Assert.Contains(first.Keys.Intersect(second.Keys), name => name.EndsWith(".safetensors", StringComparison.Ordinal));
        }
        Assert.Equal(
            MetricsLog.Read(Path.Combine(whole, "metrics.jsonl")).Select(report => (report.Step, report.Loss)),
            MetricsLog.Read(Path.Combine(other, "metrics.jsonl")).Select(report => (report.Step, report.Loss))
        );
    }

    private sealed class Time : TimeProvider
    {
        private readonly List<Timer> timers = [];
        private long now;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new Timer(callback, state);
            timers.Add(timer);
            return timer;
        }

        internal void Advance(int seconds)
        {
            for (int tick = 0; tick < 4 * seconds; tick++)
            {
                now += 250;
                foreach (var timer in timers.Where(timer => !timer.Ended))
                    timer.Tick();
            }
        }

        private sealed class Timer(TimerCallback callback, object? state) : ITimer
        {
            internal bool Ended { get; private set; }

            internal void Tick() => callback(state);

            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose() => Ended = true;

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
