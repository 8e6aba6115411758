using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace PostTrain.Tests.Support;

/// <summary>A file system in memory with room for so many bytes, gone after the test.</summary>
internal sealed class SmallFileSystem : IDisposable
{
    private readonly TemporaryDirectory mountPoint = new();

    /// <exception cref="InvalidOperationException">It could not be mounted.</exception>
    internal SmallFileSystem(long bytes)
    {
        try
        {
            Run("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={bytes}"), "tmpfs", Path);
        }
        catch
        {
            mountPoint.Dispose();
            throw;
        }
    }

    internal string Path => mountPoint.Path;

    public void Dispose()
    {
        Run("umount", Path);
        mountPoint.Dispose();
    }

    private static void Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new InvalidOperationException($"{program}: {error.Trim()}");
        }
        catch (Win32Exception error)
        {
            throw new InvalidOperationException($"{program}: {error.Message}", error);
        }
    }
}
