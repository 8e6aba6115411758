using System.Diagnostics;

namespace PostTrain.Tests.Support;

/// <summary>The command <c>dotnet</c> as a process of its own.</summary>
internal static class DotnetCommand
{
    /// <summary>Runs it to its end.</summary>
    /// <param name="folder">Where it runs.</param>
    /// <param name="limit">A process that is not over by then is ended with all that it started.</param>
    /// <param name="environment">What is set besides.</param>
    /// <param name="arguments">What stands behind <c>dotnet</c>.</param>
    /// <returns>The exit code and both outputs.</returns>
    /// <exception cref="TimeoutException">The limit was over.</exception>
    internal static (int Code, string Output, string Errors) Start(
        string folder,
        TimeSpan limit,
        IReadOnlyDictionary<string, string> environment,
        params string[] arguments
    )
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // What the test host was started with is not for another build.
        foreach (var name in start.Environment.Keys.Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"dotnet {string.Join(' ', arguments)} in {folder} was not over after {limit.TotalSeconds} seconds");
        }
        return (process.ExitCode, output.Result, errors.Result);
    }
}
