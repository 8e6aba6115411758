namespace PostTrain.Data.Records;

/// <summary>Record that was left out.</summary>
/// <param name="Place">File and line, row or number of the record.</param>
/// <param name="Reason">What it lacks, or why the template refused it.</param>
public sealed record SkippedRecord(string Place, string Reason);
