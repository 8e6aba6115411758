namespace PostTrain.Text.HuggingFace;

/// <summary>A stretch of a piece that a pattern matched, or one between matches.</summary>
/// <param name="Start">Its first unit, counted from the piece's start.</param>
/// <param name="End">The unit after its last.</param>
/// <param name="Found">Whether the pattern matched here.</param>
internal readonly record struct Match(int Start, int End, bool Found);
