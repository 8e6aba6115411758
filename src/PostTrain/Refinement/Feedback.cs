namespace PostTrain.Refinement;

/// <summary>Feedback on an attempt.</summary>
/// <param name="Text">The text for the reviser; may be empty.</param>
/// <param name="Score">The score, higher is better, on the source's own scale; NaN if there is none.</param>
/// <param name="Accepted">True if the attempt is accepted: its problem is not revised further.</param>
public sealed record Feedback(string Text, double Score, bool Accepted);
