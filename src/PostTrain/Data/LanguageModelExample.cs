namespace PostTrain.Data;

/// <summary>One row for training a language model on.</summary>
/// <param name="Ids">Token ids; several sequences laid end to end where <paramref name="SequenceLengths"/> says so.</param>
/// <param name="Labels">What each position holds for the loss, −100 where it is not learnt; null: the ids.</param>
/// <param name="SequenceLengths">Lengths of the packed sequences, which add up to the row's; null: one sequence.</param>
public sealed record LanguageModelExample(int[] Ids, int[]? Labels = null, int[]? SequenceLengths = null);
