using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="RefinementTraining"/>.</summary>
public sealed record RefinementTrainingOptions : RecipeOptions
{
    /// <summary>Rounds of refinement and training, at least 1.</summary>
    /// <value>The default is 1.</value>
    public int Rounds { get; init; } = 1;

    /// <summary>Options of writing and revising; the seed is that of the first round.</summary>
    /// <value>The default is that of <see cref="ModelRefinerOptions"/>.</value>
    public ModelRefinerOptions Writing { get; init; } = new();

    /// <summary>Revisions of a text, and which one stands.</summary>
    /// <value>The default is that of <see cref="SelfRefinementOptions"/>: 3 revisions.</value>
    public SelfRefinementOptions Refinement { get; init; } = new();

    /// <summary>Training examples of the traces, see <see cref="TraceExamples"/>.</summary>
    /// <value>The default is null: corrections and confirmations.</value>
    public Func<IReadOnlyList<RefinementTrace>, IReadOnlyList<Demonstration>>? Examples { get; init; }

    /// <summary>Training of each round.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Training { get; init; } = new();

    internal void Validate()
    {
        Guard.AtLeast(Rounds, 1, nameof(Rounds));
        ArgumentNullException.ThrowIfNull(Writing);
        ArgumentNullException.ThrowIfNull(Refinement);
        ArgumentNullException.ThrowIfNull(Training);
    }
}
