using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Draws from the source of the options: delivers weights when they are due, and watches versions and log-probs.</summary>
internal sealed class SourceFeed(IRolloutSource source, StalenessLimits limits, CausalLm policy, int paddingId)
{
    private long? delivered;

    /// <summary>True if the source draws with the policy's own memory: nothing may be drawn while it is trained.</summary>
    internal bool IsShared { get; private init; }

    /// <summary>True if old log-probs are the sampler's, and not the policy's.</summary>
    internal bool KeepsSampler { get; private init; }

    /// <summary>Creates the feed of a trainer: from the options' source, or the policy itself, in the options' environment. Null where the
    /// sampler alone draws.</summary>
    internal static SourceFeed? Of(RolloutOptions options, CausalLm policy, ITokenizer tokenizer)
    {
        if (options.Source is null && options.Environment is null && options.Asynchronous is null)
            return null;
        var source = options.Source ?? RolloutSource.Of(policy, tokenizer);
        bool isShared = source is SamplerSource own && own.Draws(policy);
        if (options.Environment is { } environment)
            source = RolloutEnvironment.Source(source, environment, tokenizer);
        var limits = options.Staleness;
        if (options.Asynchronous is { } asynchronous)
            limits = limits with
            {
                MaximumLag = limits.MaximumLag ?? asynchronous.MaxLag * options.UpdatesPerBatch + limits.UpdatesPerDelivery - 1,
            };
        return new SourceFeed(source, limits, policy, tokenizer.PaddingId) { IsShared = isShared, KeepsSampler = options.KeepsSampler };
    }

    /// <summary>Forgets which weights the source has: the next draw delivers.</summary>
    internal void Forget() => delivered = null;

    /// <summary>Draws one completion of each prompt; the caller disposes the batch.</summary>
    /// <param name="prompts">Prompt of each row.</param>
    /// <param name="sampling">Options of sampling.</param>
    /// <param name="seed">Seed of the draw.</param>
    /// <param name="version">Number of the policy's weights.</param>
    /// <param name="isCurrent">True to draw with exactly these weights.</param>
    /// <param name="cancellation">Cancels delivery and drawing.</param>
    internal async Task<RolloutBatch> DrawAsync(
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        long version,
        bool isCurrent,
        CancellationToken cancellation
    )
    {
        await DeliverAsync(version, isCurrent, cancellation).ConfigureAwait(false);
        return Batch(prompts, await CollectAsync(prompts, sampling, seed, version, cancellation).ConfigureAwait(false));
    }

    /// <summary>Delivers the policy's weights if they are due.</summary>
    internal async Task DeliverAsync(long version, bool isCurrent, CancellationToken cancellation)
    {
        var due = isCurrent ? 1 : limits.UpdatesPerDelivery;
        if (delivered is not { } last || version - last >= due || version < last)
        {
            await source.UpdateAsync(policy, version, cancellation).ConfigureAwait(false);
            delivered = version;
        }
    }

    /// <summary>Draws one completion of each prompt with the weights that the source has.</summary>
    internal Task<IReadOnlyList<RolloutSample>> CollectAsync(
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        long version,
        CancellationToken cancellation
    )
    {
        int[][] ids = [.. prompts.Select(prompt => prompt.Ids)];
        var request = RolloutRequest.Of(policy, ids, sampling, seed) with
        {
            Version = version,
            Problems = [.. prompts.Select(prompt => prompt.Problem)],
        };
        return source.CollectAsync(request, cancellation);
    }

    /// <summary>Lays finished groups out as a batch; the caller disposes it.</summary>
    internal RolloutBatch Batch(IReadOnlyList<TokenizedPrompt> prompts, IReadOnlyList<RolloutGroup> groups) =>
        Batch(prompts, [.. groups.SelectMany(group => group.Samples)]);

    /// <summary>Lays completions out as a batch; the caller disposes it.</summary>
    internal RolloutBatch Batch(IReadOnlyList<TokenizedPrompt> prompts, IReadOnlyList<RolloutSample> samples) =>
        RolloutBatch.Of(
            [.. prompts.Select(prompt => prompt.Ids)],
            samples,
            paddingId,
            Precision.AtLeastSingle(policy.parameters().FirstOrDefault()?.dtype ?? ScalarType.Float32),
            BodyParts.DeviceOf(policy)
        );

    /// <summary>Returns the draw with the policy's log-probs beside the source's, and adds <c>rollout/gap</c>, <c>rollout/lag</c> and
    /// <c>rollout/stale</c>, of several draws in a step the largest. Disposes the batch that it is given.</summary>
    /// <exception cref="InvalidOperationException">The draw is stale, and the limits say so.</exception>
    internal RolloutBatch Checked(RolloutBatch drawn, SamplingOptions sampling, long version, Dictionary<string, double> metrics)
    {
        using (drawn)
        {
            using var scope = NewDisposeScope();
            using var mode = no_grad();
            if (LagOf(drawn, version, metrics) is { } old)
                Alarm(old, metrics);
            if (source is EnvironmentSource)
            {
                metrics["completion/out_of_turns"] = drawn.Finishes.Average(finish => finish == RolloutFinish.Turns ? 1.0 : 0);
                metrics["completion/timed_out"] = drawn.Finishes.Average(finish => finish == RolloutFinish.Timeout ? 1.0 : 0);
            }
            if (KeepsSampler)
                return drawn.With(drawn.LogProbs.alias());
            var scores = drawn.Score(policy, sampling);
            var gap = Masked.Mean((scores - drawn.LogProbs).abs(), drawn.CompletionMask).ToDouble();
            Raise(metrics, "rollout/gap", gap);
            if (!(gap <= limits.MaximumGap))
                Alarm(
                    FormattableString.Invariant($"log-probs of {source.Name} are {gap:G4} nats a token from the policy's, ")
                        + FormattableString.Invariant($"expected at most {limits.MaximumGap}: ")
                        + "other weights, another model, or log-probs of another distribution (temperature, truncation)",
                    metrics
                );
            return drawn.With(scores);
        }
    }

    // The reason for an alarm, or null.
    private string? LagOf(RolloutBatch drawn, long version, Dictionary<string, double> metrics)
    {
        long[] lags = [.. drawn.Versions.OfType<long>().Select(own => version - own)];
        if (lags.Length == 0)
            return null;
        Raise(metrics, "rollout/lag", lags.Average());
        var most = limits.MaximumLag ?? limits.UpdatesPerDelivery - 1;
        return lags.Min() < 0 || lags.Max() > most
            ? $"{source.Name} drew with weights {version - (lags.Min() < 0 ? lags.Min() : lags.Max())}, the policy has "
                + $"{version}, expected at "
                + $"most {most} updates behind"
            : null;
    }

    private void Alarm(string message, Dictionary<string, double> metrics)
    {
        if (limits.Action == StalenessAction.Throw)
            throw new InvalidOperationException($"stale rollouts: {message}");
        metrics[Diagnostics.StaleRollouts.Metric] = 1;
    }

    private static void Raise(Dictionary<string, double> metrics, string name, double value) =>
        metrics[name] = metrics.TryGetValue(name, out var before) ? Math.Max(before, value) : value;
}
