namespace PostTrain.Text.HuggingFace;

/// <summary>A range of a piece that a pattern matched, or a range between matches.</summary>
/// <param name="Start">First unit, relative to the piece's start.</param>
/// <param name="End">Unit after the last.</param>
/// <param name="Found">True if the pattern matched here.</param>
internal readonly record struct Match(int Start, int End, bool Found);
