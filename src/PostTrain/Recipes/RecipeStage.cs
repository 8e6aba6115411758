using static TorchSharp.torch;

namespace PostTrain.Recipes;

/// <summary>Stage of a <see cref="Recipe"/> that has ended.</summary>
/// <param name="Name">Its name, one of the recipe's constants.</param>
/// <param name="Round">Number of the round, from 1; 1 in recipes without rounds.</param>
/// <param name="Model">The model that it trained, with the weights that the next stage begins from or reads.</param>
public sealed record RecipeStage(string Name, int Round, nn.Module Model);
