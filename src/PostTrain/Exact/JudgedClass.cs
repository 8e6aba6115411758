namespace PostTrain.Exact;

/// <summary>A class of samples with the same verifier score, an input of <see cref="BestOfN"/>.</summary>
/// <param name="Score">The verifier's score; finite.</param>
/// <param name="Probability">Probability that a sample belongs to this class.</param>
/// <param name="Correct">Probability that a sample of this class is correct.</param>
public readonly record struct JudgedClass(double Score, double Probability, double Correct);
