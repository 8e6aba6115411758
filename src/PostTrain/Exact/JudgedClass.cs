namespace PostTrain.Exact;

/// <summary>All samples that a verifier gives one score, as <see cref="BestOfN"/> chooses among them.</summary>
/// <param name="Score">What the verifier says of them; finite.</param>
/// <param name="Probability">How often a sample is of this class.</param>
/// <param name="Correct">How often a sample of this class is right.</param>
public readonly record struct JudgedClass(double Score, double Probability, double Correct);
