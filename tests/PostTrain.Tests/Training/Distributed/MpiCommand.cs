using System.Diagnostics;
using System.Globalization;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>The tests' assembly as ranks of <c>mpirun</c>.</summary>
internal static class MpiCommand
{
    internal static string? Path { get; } =
        Environment
            .GetEnvironmentVariable("PATH")
            ?.Split(System.IO.Path.PathSeparator)
            .Select(folder => System.IO.Path.Combine(folder, "mpirun"))
            .FirstOrDefault(path => OperatingSystem.IsLinux() && File.Exists(path));

    /// <summary>Starts a program of the assembly as several ranks.</summary>
    internal static Process Start(int ranks, params string[] arguments)
    {
        string[] all =
        [
            "--oversubscribe",
            "--bind-to",
            "none",
            .. Environment.UserName == "root" ? new[] { "--allow-run-as-root" } : [],
            "-n",
            ranks.ToString(CultureInfo.InvariantCulture),
            "dotnet",
            typeof(MpiCommand).Assembly.Location,
            .. arguments,
        ];
        var start = new ProcessStartInfo(Path!, all) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["OMP_NUM_THREADS"] = "1";
        return Process.Start(start)!;
    }

    /// <summary>Runs a program as several ranks to its end.</summary>
    /// <exception cref="TimeoutException">The limit was over.</exception>
    internal static (int Code, string Output, string Errors) Run(int ranks, TimeSpan limit, params string[] arguments)
    {
        using var process = Start(ranks, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (process.WaitForExit(limit))
            return (process.ExitCode, output.Result, errors.Result);
        process.Kill(entireProcessTree: true);
        throw new TimeoutException($"{ranks} ranks were not over after {limit.TotalSeconds} seconds:\n{errors.Result}");
    }
}
