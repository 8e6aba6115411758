using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="LlamaRounds"/>.</summary>
public sealed record LlamaRoundsOptions : RecipeOptions
{
    /// <summary>Number of rounds, at least 1.</summary>
    /// <value>The default is 2; the paper has six.</value>
    public int Rounds { get; init; } = 2;

    /// <summary>Rejection sampling: completions of each problem, of which the best is kept.</summary>
    /// <value>The default is that of <see cref="DrawOptions"/>.</value>
    public DrawOptions Draws { get; init; } = new();

    /// <summary>Supervised fine-tuning of the first policy on the demonstrations and the kept completions of all rounds.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Supervised { get; init; } = new();

    /// <summary>Preference stage on the best and the worst completion of each problem of the round.</summary>
    /// <value>The default is DPO with β = 0.1 and the chosen completion's likelihood with weight 0.2.</value>
    public DpoOptions Preference { get; init; } =
        new() { Beta = 0.1, Loss = DpoLoss.Weighted((1, MarginLoss.Sigmoid()), (0.2, DpoLoss.ChosenLikelihood())) };

    /// <summary>Runs of the preference stage with different seeds, whose weights are averaged; at least 1.</summary>
    /// <value>The default is 2.</value>
    public int Averaged { get; init; } = 2;

    /// <summary>Seed of the sampling of the first round.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Rounds, 1, nameof(Rounds));
        Guard.AtLeast(Averaged, 1, nameof(Averaged));
        ArgumentNullException.ThrowIfNull(Draws);
        Draws.Validate();
        ArgumentNullException.ThrowIfNull(Supervised);
        ArgumentNullException.ThrowIfNull(Preference);
    }
}
