using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;

namespace PostTrain.Training;

/// <summary>Options of every trainer that learns from completions which the policy draws itself.</summary>
/// <remarks><see cref="TrainingOptions.BatchSize"/> counts prompts; a step samples <see cref="GroupSize"/> completions of each.</remarks>
public abstract record RolloutOptions : TrainingOptions
{
    /// <summary>Completions of a prompt, at least 1; they stand beside each other, and methods that compare them need at least 2.</summary>
    /// <value>The default is 8, except where a method says otherwise.</value>
    public int GroupSize { get; init; } = 8;

    /// <summary>Optimiser steps on each batch of completions (μ in DeepSeekMath).</summary>
    /// <value>The default is 1: purely on-policy.</value>
    public int UpdatesPerBatch { get; init; } = 1;

    /// <summary>Options of sampling.</summary>
    /// <value>The default is temperature 1 and at most 64 tokens.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Draws the completions: a server, another engine, a source of your own. Its log-probs are the batch's
    /// <see cref="RolloutBatch.DrawnLogProbs"/>; <see cref="RolloutBatch.LogProbs"/> are the policy's.</summary>
    /// <value>The default is null: the policy itself draws, by <see cref="Sampler"/>.</value>
    public IRolloutSource? Source { get; init; }

    /// <summary>An environment that answers the policy's turns, such as tools, with its budgets. Only the policy's tokens count in masks,
    /// advantages and losses.</summary>
    /// <value>The default is null: a completion is one turn.</value>
    public EnvironmentOptions? Environment { get; init; }

    /// <summary>Rollouts ahead of the steps that train on them, by older weights.</summary>
    /// <value>The default is null: each step draws its own.</value>
    public AsynchronousOptions? Asynchronous { get; init; }

    /// <inheritdoc/>
    internal override long RowsOfBatch => (long)BatchSize * GroupSize;

    /// <summary>True if old log-probs are the sampler's: nothing else accounts for older weights.</summary>
    internal virtual bool KeepsSampler => Asynchronous is not null;

    /// <summary>When <see cref="Source"/> gets the policy's weights, and when its completions are too old.</summary>
    /// <value>The default delivers before every draw and throws when a draw is stale.</value>
    public StalenessLimits Staleness { get; init; } = new();

    /// <summary>Told of the completions of each step, before its report: a <see cref="CompletionLog"/>.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<IProgress<CompletionReport>> CompletionObservers { get; init; } = [];

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Guard.AtLeast(GroupSize, 1, nameof(GroupSize));
        Guard.AtLeast(UpdatesPerBatch, 1, nameof(UpdatesPerBatch));
        ArgumentNullException.ThrowIfNull(Staleness);
        Staleness.Validate();
        Environment?.Validate();
        Asynchronous?.Validate();
        if (Asynchronous is not null && RankCut is { } ranks)
            throw new ArgumentException(
                $"Asynchronous is given in a run of {ranks} ranks; expected null: rollouts ahead belong to one process",
                nameof(Asynchronous)
            );
        if (!(Sampling.Temperature > 0))
            throw new ArgumentOutOfRangeException(
                nameof(Sampling),
                Sampling.Temperature,
                "Sampling.Temperature must be above 0: greedy completions of a prompt are all the same"
            );
        if (Sampling.Temperature < Guard.LeastTemperature)
            throw new ArgumentOutOfRangeException(
                nameof(Sampling),
                Sampling.Temperature,
                "Sampling.Temperature must be at least 1e-6: gradients are divided by it"
            );
    }
}
