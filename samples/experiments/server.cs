#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// GRPO on completions of a server: llama.cpp's server, vLLM or SGLang.
//   dotnet run -c Release samples/experiments/server.cs -- --start "llama-server -c 2048 -np 8 --flash-attn off -ctk f32 -ctv f32"
//   dotnet run -c Release samples/experiments/server.cs -- --protocol vllm --address http://localhost:8000 --model DIR
// llama.cpp's server loads no weights while it runs: with --start the sample writes a GGUF file after each update and starts it again. The
// others get a LoRA adapter, which --folder must hold for both.
using System.Diagnostics;
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts.Servers;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;

var command = new SampleCommand("server", "Trains a model on completions that a server draws.", steps: 20);
var addressText = command.Option("--address", "Root of the server.", "http://127.0.0.1:8099");
var protocolName = command.Option("--protocol", "llama, vllm or sglang.", "llama");
var start = command.Option("--start", "Command that starts llama.cpp's server, without model and address; empty: it runs.", "");
var folder = command.Option("--folder", "Folder of the weights; empty: weights, below the output.", "");
var serverFolder = command.Option("--server-folder", "The same folder as the server sees it; empty: the same path.", "");
var batch = command.Option("--batch-size", "Prompts in a step; 8 completions each.", 16, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        var source = run.Model ?? Folders.ArithmeticBase;
        var experiment = Experiments.Arithmetic(source, run.HeldOut, run.Seed, run.Type);
        var policy = (Decoder)experiment.Policy;
        var address = new Uri(values.GetValue(addressText)!);
        var protocol = Enum.Parse<ServerProtocol>(values.GetValue(protocolName)!, ignoreCase: true);
        var own = Path.GetFullPath(values.GetValue(folder) is { Length: > 0 } given ? given : run.PathOf("weights"));
        var theirs = values.GetValue(serverFolder) is { Length: > 0 } seen ? seen : null;
        Directory.CreateDirectory(own);
        using var process = values.GetValue(start) is { Length: > 0 } line ? new ServerProcess(line, address) : null;
        using var adapted =
            protocol == ServerProtocol.Llama
                ? null
                : AdaptedModel.Attach(policy, new LoraOptions { Targets = ModuleSelection.AllLinear, Rank = 8 }, seed: run.Seed);
        var weights =
            adapted is not null ? ServerWeights.Adapter(adapted, own, theirs)
            : process is null ? null
            : ServerWeights.Of(
                async (_, version, cancellation) =>
                {
                    var name = $"policy-{version % 2}.gguf";
                    GgufExport.Write(
                        policy,
                        source,
                        Path.Combine(own, name),
                        new GgufExportOptions { Type = GgufType.F32 },
                        stop: cancellation
                    );
                    await process.StartAsync(
                        $"-m {Path.Combine(theirs ?? own, name)} --alias policy-{version} --host {address.Host} --port {address.Port}",
                        cancellation
                    );
                    return $"policy-{version}";
                }
            );
        // Before there is a server there are weights.
        if (process is not null && weights is not null)
            Console.WriteLine($"llama.cpp's server at {address}, started again after each update");
        using var server = new ServerSource(
            new ServerOptions
            {
                Address = address,
                Protocol = protocol,
                Weights = weights,
                RequestsInFlight = 8,
            },
            experiment.Tokenizer
        );
        var options = experiment.Options with
        {
            Steps = run.Steps,
            BatchSize = values.GetValue(batch),
            Source = server,
            Correction = ImportanceCorrection.Tis(),
            // A server whose weights stay is off-policy from the first update on.
            Staleness = new StalenessLimits { MaximumGap = weights is null ? double.PositiveInfinity : 0.25 },
            CompletionObservers = [run.Completions],
        };
        var before = HeldOut();
        IReadOnlyList<StepReport> reports;
        using (var trainer = new GrpoTrainer(policy, experiment.Tokenizer, experiment.Reward, options))
            reports = await run.TrainAsync(experiment.Title, run.Steps, trainer.RunAsync(experiment.Train, cancellation: run.Cancellation));
        var outcome = new Outcome(experiment, options, before, HeldOut(), reports);
        outcome.Print(Console.Out);
        var gaps = reports.Select(report => report.Metrics["rollout/gap"]).ToArray();
        Console.WriteLine($"log-probs of server and policy: {gaps.Average():E1} nats a token apart on average, {gaps.Max():E1} at most");
        run.Finish(outcome.Page(run), outcome.Summary());

        IReadOnlyList<Completion> HeldOut() =>
            Sampled.Completions(policy, experiment.Tokenizer, experiment.HeldOut, options.Sampling, run.Seed);
    }
);

/// <summary>A server that a sample starts, and starts again with other weights.</summary>
internal sealed class ServerProcess(string command, Uri address) : IDisposable
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
