using System.Diagnostics;

namespace PostTrain.Samples.Support;

/// <summary>A server that a sample starts, and starts again with other weights.</summary>
public sealed class ServerProcess(string command, Uri address) : IDisposable
{
    private static readonly HttpClient Client = new() { Timeout = TimeSpan.FromSeconds(5) };
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private Process? process;

    /// <summary>Ends the server that runs, starts one with further arguments, and waits until <c>/health</c> answers.</summary>
    public async Task StartAsync(string arguments, CancellationToken cancellation)
    {
        Stop();
        var words = $"{command} {arguments}".Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var start = new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        process = Process.Start(start) ?? throw new InvalidOperationException($"{words[0]} does not start");
        // Nobody reads it; a full pipe would stop the server.
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(TimeSpan.FromMilliseconds(50), cancellation))
        {
            if (process.HasExited)
                throw new InvalidOperationException($"{command} ended with {process.ExitCode}");
            if (await IsReadyAsync(cancellation))
                return;
            if (clock.Elapsed > Patience)
                throw new TimeoutException($"{address} is not ready after {Patience.TotalSeconds} s");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Stop();

    private async Task<bool> IsReadyAsync(CancellationToken cancellation)
    {
        try
        {
            using var response = await Client.GetAsync(new Uri(address, "/health"), cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Stop()
    {
        if (process is not { } running)
            return;
        process = null;
        if (!running.HasExited)
            running.Kill(entireProcessTree: true);
        running.WaitForExit();
        running.Dispose();
    }
}
