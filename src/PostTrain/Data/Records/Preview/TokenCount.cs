namespace PostTrain.Data.Records;

/// <summary>Bar of a <see cref="TokenHistogram"/>.</summary>
/// <param name="From">Least number of tokens.</param>
/// <param name="To">Most number of tokens.</param>
/// <param name="Count">Number of sequences of such a length.</param>
public readonly record struct TokenCount(int From, int To, int Count);
