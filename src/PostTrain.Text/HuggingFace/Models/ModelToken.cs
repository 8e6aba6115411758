namespace PostTrain.Text.HuggingFace;

/// <summary>A token that a model found in a piece.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">First unit, relative to the piece's start.</param>
/// <param name="End">Unit after the last.</param>
internal readonly record struct ModelToken(int Id, int Start, int End);
