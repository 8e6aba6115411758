using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>The models of a <see cref="ToyServer"/>: a base, adapters by name, and what replaces the base.</summary>
internal sealed class ToyModels(CausalLm model) : IDisposable
{
    private readonly Dictionary<string, string> adapters = [];
    private CausalLm? replaced;

    internal CausalLm Base => model;

    /// <summary>Number of the weights, as the server tells it.</summary>
    internal string Version { get; set; } = "default";

    /// <summary>True for a server that says that it loads weights and does not.</summary>
    internal bool IgnoresWeights { get; set; }

    /// <summary>Names of adapters in the order in which they were loaded and unloaded, the latter with a minus.</summary>
    internal List<string> Loadings { get; } = [];

    internal string[] Names
    {
        get
        {
            lock (adapters)
                return [.. adapters.Keys];
        }
    }

    internal string? Load(string name, string path)
    {
        lock (adapters)
        {
            if (!File.Exists(Path.Combine(path, "adapter_config.json")))
                return $"there is no adapter in {path}";
            if (!adapters.TryAdd(name, path))
                return $"The lora adapter '{name}' has already been loaded.";
            Loadings.Add(name);
            return null;
        }
    }

    internal string? Unload(string name)
    {
        lock (adapters)
        {
            if (!adapters.Remove(name))
                return $"The lora adapter '{name}' cannot be found.";
            Loadings.Add("-" + name);
            return null;
        }
    }

    internal void Replace(string path)
    {
        if (IgnoresWeights)
            return;
        var loaded = Pretrained.Load(path);
        replaced?.Dispose();
        replaced = loaded;
    }

    internal IReadOnlyList<RolloutSample> Draw(RolloutRequest request, string? name, ITokenizer tokenizer)
    {
        string? path = null;
        lock (adapters)
        {
            if (name is not null and not "toy" && !adapters.TryGetValue(name, out path))
                throw new InvalidOperationException($"the server was asked for {name}");
        }
        var served = replaced ?? model;
        using var adapted = path is null || IgnoresWeights ? null : AdaptedModel.Load(served, path);
        using var batch = Sampler.Generate(served, request.Prompts, request.Sampling, request.Seed, tokenizer);
        var logProbs = Support.Numbers.Values(batch.LogProbs);
        var columns = (int)batch.LogProbs.shape[1];
        return
        [
            .. batch.Completions.Select(
                (tokens, row) =>
                    new RolloutSample(
                        row,
                        tokens,
                        logProbs[(row * columns)..(row * columns + tokens.Length)],
                        batch.Finished[row] ? RolloutFinish.Stop : RolloutFinish.Length
                    )
            ),
        ];
    }

    public void Dispose() => replaced?.Dispose();
}
