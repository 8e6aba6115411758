using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>Step of a <see cref="Recipe"/>.</summary>
/// <param name="Stage">Name of the stage, one of the recipe's constants; each stage counts its steps from 1.</param>
/// <param name="Step">Report of the step: metrics of the stage's trainer, or those that the recipe documents.</param>
public sealed record RecipeReport(string Stage, StepReport Step)
{
    /// <summary>Number of the round, from 1; 1 in recipes without rounds.</summary>
    public int Round { get; init; } = 1;
}
