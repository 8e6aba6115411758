namespace PostTrain.Data.Curation;

/// <summary>An n-gram that a text shares with a benchmark.</summary>
/// <param name="Ngram">The words, in lower case, with a space between.</param>
/// <param name="TextIndex">Number of the benchmark's text, from 0.</param>
public sealed record NgramMatch(string Ngram, int TextIndex);
