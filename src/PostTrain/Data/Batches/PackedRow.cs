namespace PostTrain.Data.Batches;

/// <summary>Sequences laid end to end in a row.</summary>
/// <param name="Ids">Their tokens.</param>
/// <param name="Lengths">Their lengths, in order.</param>
public sealed record PackedRow(int[] Ids, int[] Lengths);
