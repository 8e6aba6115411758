namespace PostTrain.Training.Reports;

/// <summary>A named proportion, such as the accuracy <c>before</c> or <c>after</c> training.</summary>
/// <param name="Name">The name of the row.</param>
/// <param name="Proportion">Successes and trials.</param>
public sealed record NamedProportion(string Name, Proportion Proportion);
