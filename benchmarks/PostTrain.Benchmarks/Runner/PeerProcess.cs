using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Benchmarks.Runner;

/// <summary>A program that takes samples of the same workloads on request: <c>--list</c> names them, and with <c>--serve</c> it answers
/// <c>use ID SIZE SOURCE</c> and <c>go</c> with a line of JSON each.</summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process process;

    private PeerProcess(Process process) => this.process = process;

    /// <summary>Workloads that the program knows: id, size, source.</summary>
    public required IReadOnlyList<(string Id, string Size, string Source)> Workloads { get; init; }

    /// <summary>What the program says of itself: versions, BLAS, processor.</summary>
    public required JsonObject Header { get; init; }

    /// <summary>Starts the program.</summary>
    /// <param name="command">Its command line, for the shell.</param>
    /// <param name="threads">Threads that it shall use.</param>
    /// <param name="keepHeap">Whether freed memory stays in its process.</param>
    /// <exception cref="FormatException">It does not answer as expected.</exception>
    public static PeerProcess Start(string command, int threads, bool keepHeap)
    {
        var settings = $"--threads {threads}{(keepHeap ? " --keep-heap" : "")}";
        var workloads = Lines($"{command} --list")
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(parts => parts.Length == 3)
            .Select(parts => (parts[0], parts[1], parts[2]))
            .ToArray();
        // A pattern that fits nothing: the header alone.
        var header = Lines($"{command} {settings} -- none").Select(Parsed).FirstOrDefault(line => line?["record"]?.ToString() == "header");
        if (workloads.Length == 0 || header is null)
            throw new FormatException($"--peer {command}: --list names no workload, or there is no header line");
        return new PeerProcess(Run($"{command} {settings} --serve")) { Workloads = workloads, Header = header };
    }

    /// <summary>Prepares a workload; null where the program cannot.</summary>
    /// <returns>Calls of one sample, and seconds of one call.</returns>
    public (int Calls, double Seconds)? Use(string id, string size, string source) =>
        Ask($"use {id} {size} {source}") is { } answer && answer["once_s"] is { } once
            ? (answer["inner"]!.GetValue<int>(), once.GetValue<double>())
            : null;

    /// <summary>Seconds of one call, from one sample.</summary>
    /// <exception cref="FormatException">The program gives no number.</exception>
    public double Sample() =>
        Ask("go")?["seconds"]?.GetValue<double>() ?? throw new FormatException("the peer gives no sample: see its messages above");

    /// <summary>Ends the program.</summary>
    public void Dispose()
    {
        try
        {
            process.StandardInput.WriteLine("quit");
            process.StandardInput.Close();
            if (!process.WaitForExit(5000))
                process.Kill(entireProcessTree: true);
        }
        catch (Exception gone) when (gone is IOException or InvalidOperationException) { }
        process.Dispose();
    }

    private JsonObject? Ask(string line)
    {
        process.StandardInput.WriteLine(line);
        process.StandardInput.Flush();
        while (process.StandardOutput.ReadLine() is { } answer)
        {
            if (Parsed(answer) is not { } found)
                continue;
            if (found["error"] is { } error)
                Console.Error.WriteLine($"peer: {line}: {error}");
            return found["error"] is null ? found : null;
        }
        return null;
    }

    private static JsonObject? Parsed(string line)
    {
        try
        {
            return line.StartsWith('{') ? JsonNode.Parse(line) as JsonObject : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static List<string> Lines(string command)
    {
        using var run = Run(command);
        run.StandardInput.Close();
        var lines = new List<string>();
        while (run.StandardOutput.ReadLine() is { } line)
            lines.Add(line);
        run.WaitForExit();
        return lines;
    }

    private static Process Run(string command) =>
        Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", $"exec {command}"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                UseShellExecute = false,
            }
        )!;
}
