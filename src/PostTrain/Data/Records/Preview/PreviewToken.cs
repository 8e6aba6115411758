namespace PostTrain.Data.Records;

/// <summary>Token of a <see cref="PreviewExample"/>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">Its spelling, special tokens included.</param>
/// <param name="IsLearnt">True if it counts in the loss.</param>
public readonly record struct PreviewToken(int Id, string Text, bool IsLearnt);
