namespace PostTrain.Refinement;

/// <summary>What is said of an attempt.</summary>
/// <param name="Text">What the reviser reads; may be empty.</param>
/// <param name="Score">The higher the better, in the source's own scale; NaN where it came to no judgement.</param>
/// <param name="Accepted">Whether the attempt stands as it is: its problem is revised no more.</param>
public sealed record Feedback(string Text, double Score, bool Accepted);
