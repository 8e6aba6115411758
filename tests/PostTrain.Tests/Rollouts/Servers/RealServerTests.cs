using System.Globalization;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Servers;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>A server that somebody started. POSTTRAIN_SERVER is its address, POSTTRAIN_SERVER_PROTOCOL llama (default), vllm or sglang,
/// POSTTRAIN_SERVER_MODEL the directory of the model that it serves (default samples/models/arithmetic-base), POSTTRAIN_SERVER_GAP the
/// largest gap of log-probs (default 1e-3, for float32).</summary>
public sealed class RealServerTests(ITestOutputHelper output)
{
    private static readonly string[] Texts = ["100+223=", "457+88=", "31+31=", "999+1="];

    internal static string? Address => Variable("POSTTRAIN_SERVER");

    [ServerFact]
    public async Task Completions_AreOfThePolicy()
    {
        var directory =
            Variable("POSTTRAIN_SERVER_MODEL") ?? System.IO.Path.Combine(RepositoryFolder.Root, "samples", "models", "arithmetic-base");
        using var model = Pretrained.Load(directory);
        var tokenizer = TokenizerFiles.Load(directory);
        using var source = new ServerSource(
            new ServerOptions
            {
                Address = new Uri(Address!),
                Protocol = Enum.Parse<ServerProtocol>(Variable("POSTTRAIN_SERVER_PROTOCOL") ?? "llama", ignoreCase: true),
            },
            tokenizer
        );
        int[][] prompts = [.. Texts.SelectMany(text => Enumerable.Repeat(tokenizer.Encode(text), 6))];
        var sampling = new SamplingOptions { MaxNewTokens = 24 }.StoppingAt(model, tokenizer);
        var samples = await source.CollectAsync(RolloutRequest.Of(model, prompts, sampling, seed: 3));
        using var batch = RolloutBatch.Of(prompts, samples, tokenizer.PaddingId);
        using var scope = NewDisposeScope();
        var difference = ((batch.Score(model, sampling) - batch.LogProbs).abs() * batch.CompletionMask).max().ToDouble();
        output.WriteLine(
            $"{source.Name}: log-probs differ by at most {difference:E1}; {samples.Sum(sample => sample.Tokens.Length)} tokens"
        );
        foreach (var sample in samples.Take(8))
            output.WriteLine($"  {Texts[sample.Row / 6]}{tokenizer.Decode(sample.Tokens, false)}  {sample.Finish}");
        Assert.InRange(difference, 0, double.Parse(Variable("POSTTRAIN_SERVER_GAP") ?? "1e-3", CultureInfo.InvariantCulture));
        Assert.True(samples.Select(sample => string.Join(",", sample.Tokens)).Distinct().Count() > samples.Count / 4);
        Assert.Contains(samples, sample => sample.Finish == RolloutFinish.Stop);
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
