using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Training;

/// <summary>Runs are killed (SIGKILL) at random moments and started again, until they are done; every byte that they leave equals that of a
/// run that nobody killed.</summary>
/// <remarks>The environment variable POSTTRAIN_KILLS says how often a run is killed; default 3.</remarks>
public sealed class KilledRunTests : IDisposable
{
    private static readonly int Kills = int.TryParse(
        Environment.GetEnvironmentVariable("POSTTRAIN_KILLS"),
        NumberStyles.None,
        CultureInfo.InvariantCulture,
        out int kills
    )
        ? kills
        : 3;
    private readonly TemporaryDirectory directory = new();

    public static TheoryData<string> Trainers => [.. KilledRun.Trainers];

    public void Dispose() => directory.Dispose();

    [Theory]
    [MemberData(nameof(Trainers))]
    public void KilledAtRandomMoments_LeavesTheBytesOfAnUninterruptedRun(string trainer)
    {
        string whole = directory.File("whole"),
            killed = directory.File("killed");
        using (var process = Start(trainer, whole))
            Finish(process);
        var random = new Random(trainer.Sum(letter => letter));
        int done = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            using var process = Start(trainer, killed);
            // The first one comes to a step for certain, the others may be killed before.
            done = Math.Max(done, KillAfter(process, random.Next(kill == 0 ? 1 : 0, 1 + KilledRun.Steps / 3), random.Next(0, 25_000)));
        }
        Assert.True(Kills == 0 || done > 0, "no killed run had come to a step");
        using (var process = Start(trainer, killed))
            Finish(process);

        Assert.Equal(Names(whole), Names(killed));
        foreach (var name in Names(whole))
            Assert.True(Content(whole, name).SequenceEqual(Content(killed, name)), $"{name} differs");
        Assert.Equal(KilledRun.Steps, File.ReadLines(Path.Combine(killed, "metrics.jsonl")).Count());
        Assert.Contains($"checkpoint-{KilledRun.Steps:D8}/model.safetensors", Names(killed));
    }

    // Reads so many steps, waits some microseconds more, and kills; the step that the process had come to.
    private static int KillAfter(Process process, int steps, int microseconds)
    {
        int seen = 0;
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.StartsWith("step ", StringComparison.Ordinal))
                seen = int.Parse(line.AsSpan(5), CultureInfo.InvariantCulture);
            else if (line != "ready")
                continue;
            if (--steps < 0)
                break;
        }
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed.TotalMicroseconds < microseconds)
            Thread.SpinWait(50);
        process.Kill();
        process.WaitForExit();
        return seen;
    }

    private static void Finish(Process process)
    {
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"the run ended with {process.ExitCode}:\n{errors.Result}");
    }

    private static Process Start(string trainer, string where) =>
        Process.Start(
            new ProcessStartInfo("dotnet", [typeof(KilledRun).Assembly.Location, trainer, where])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;

    internal static string[] Names(string where) =>
        [
            .. Directory
                .EnumerateFiles(where, "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(where, path).Replace('\\', '/'))
                .Where(name => !name.EndsWith(".tmp", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];

    // Without what measures time.
    internal static IEnumerable<byte> Content(string where, string name)
    {
        var path = Path.Combine(where, name);
        return Path.GetExtension(name) is ".json" or ".jsonl"
            ? System.Text.Encoding.UTF8.GetBytes(string.Join('\n', File.ReadLines(path).Select(Timeless)))
            : File.ReadAllBytes(path);
    }

    private static string Timeless(string line)
    {
        var record = JsonNode.Parse(line)!.AsObject();
        foreach (
            var key in record
                .Select(field => field.Key)
                .Where(key =>
                    key is "ElapsedSeconds" or "elapsed_seconds" or "tokens_per_second" || key.StartsWith("time/", StringComparison.Ordinal)
                )
                .ToArray()
        )
            record.Remove(key);
        return record.ToJsonString();
    }
}
