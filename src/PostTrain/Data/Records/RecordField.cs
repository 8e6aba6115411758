namespace PostTrain.Data.Records;

/// <summary>Field of a data set's records.</summary>
/// <param name="Name">Name, as the first record that has it spells it.</param>
/// <param name="Records">Number of records that have it.</param>
/// <param name="IsRead">True if it was used in at least one record.</param>
public sealed record RecordField(string Name, int Records, bool IsRead);
