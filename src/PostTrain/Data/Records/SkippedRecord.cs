namespace PostTrain.Data.Records;

/// <summary>Record that was left out.</summary>
/// <param name="Place">File and line, row or number of the record.</param>
/// <param name="Reason">The missing field, or the template's refusal.</param>
public sealed record SkippedRecord(string Place, string Reason);
