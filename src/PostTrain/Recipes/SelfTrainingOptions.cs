using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="SelfTraining"/>.</summary>
public sealed record SelfTrainingOptions : RecipeOptions
{
    /// <summary>Rounds of collection and training, at least 1.</summary>
    /// <value>The default is 1.</value>
    public int Rounds { get; init; } = 1;

    /// <summary>True begins the training of each round with the weights that the policy had before the first, as STaR does; false with
    /// those of the round before.</summary>
    /// <value>The default is true.</value>
    public bool FromFirstPolicy { get; init; } = true;

    /// <summary>Demonstrations that are known: they are trained on in every round, and not collected again.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<Demonstration> Demonstrations { get; init; } = [];

    /// <summary>Training of each round.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Training { get; init; } = new();

    /// <summary>Completions that are drawn of each problem, at least 1. Yuan et al. draw 100.</summary>
    /// <value>The default is 8.</value>
    public int SamplesPerProblem { get; init; } = 8;

    /// <summary>Minimum reward of a kept completion; finite.</summary>
    /// <value>The default is 1: correct, by <see cref="Rewards.Reward.MathAnswer(Rewards.MathAnswerOptions)"/>.</value>
    public double Threshold { get; init; } = 1;

    /// <summary>Maximum number of kept completions per problem, the first ones; at least 1. Null keeps all.</summary>
    /// <value>The default is null.</value>
    public int? MostPerProblem { get; init; }

    /// <summary>Key used to deduplicate completions of a prompt. Yuan et al. compare their equations.</summary>
    /// <value>The default is the text without surrounding white space.</value>
    public Func<string, string> DeduplicationKey { get; init; } = text => text.Trim();

    /// <summary>Options of the sampling.</summary>
    /// <value>The default is temperature 1 and at most 64 tokens.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Draws the completions: a server, another engine, a source of your own; it gets the policy's weights before each
    /// collection.</summary>
    /// <value>The default is null: the policy itself draws.</value>
    public IRolloutSource? Source { get; init; }

    /// <summary>Number of completions sampled at once, at least 1. It does not affect the samples, up to the rounding of logits.</summary>
    /// <value>The default is 256.</value>
    public int BatchSize { get; init; } = 256;

    /// <summary>Seed of the sampling.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Rounds, 1, nameof(Rounds));
        ArgumentNullException.ThrowIfNull(Demonstrations);
        ArgumentNullException.ThrowIfNull(Training);
        Guard.AtLeast(SamplesPerProblem, 1, nameof(SamplesPerProblem));
        if (!double.IsFinite(Threshold))
            throw new ArgumentOutOfRangeException(nameof(Threshold), Threshold, "Threshold must be finite");
        if (MostPerProblem is { } most)
            Guard.AtLeast(most, 1, nameof(MostPerProblem));
        ArgumentNullException.ThrowIfNull(DeduplicationKey);
        ArgumentNullException.ThrowIfNull(Sampling);
        if (SamplesPerProblem > 1 && !(Sampling.Temperature > 0))
            throw new ArgumentOutOfRangeException(
                nameof(Sampling),
                Sampling.Temperature,
                "Sampling.Temperature must be above 0: greedy completions of a prompt are all the same"
            );
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
    }
}
