namespace PostTrain.Recipes;

/// <summary>Options common to all recipes.</summary>
public abstract record RecipeOptions
{
    /// <summary>Directory of the run: checkpoints of each stage, and the data that a stage hands to the next; see
    /// <see cref="Recipe.Resume"/>. It replaces the stages' own checkpoint directories.</summary>
    /// <value>The default is null: nothing is kept, except where a stage has a checkpoint directory of its own.</value>
    public string? Directory { get; init; }

    /// <summary>Called when a stage has ended, before anything of the next begins: to evaluate its model, or to save it. It must leave the
    /// weights as they are. A run that goes on calls it again for the stages that had ended.</summary>
    /// <value>The default is null.</value>
    public Func<RecipeStage, CancellationToken, Task>? StageEnded { get; init; }
}
