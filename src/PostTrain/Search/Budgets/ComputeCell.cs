using PostTrain.Training.Reports;

namespace PostTrain.Search;

/// <summary>The results of a method on the held-out problems of one difficulty.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="Level">The level of difficulty, 0 the easiest.</param>
/// <param name="Right">Right answers, with their interval.</param>
/// <param name="Tokens">Mean tokens of a problem.</param>
public sealed record ComputeCell(string Method, int Level, Proportion Right, double Tokens);
