namespace PostTrain.Training.Reports;

/// <summary>A proportion to compare with others, such as the accuracy <c>before</c> and <c>after</c> training.</summary>
/// <param name="Name">The name of the row.</param>
/// <param name="Proportion">Successes in trials.</param>
public sealed record NamedProportion(string Name, Proportion Proportion);
