namespace PostTrain.Data.Curation;

/// <summary>A record that a step of curation removed.</summary>
/// <typeparam name="T">The record's type.</typeparam>
/// <param name="Value">The record as it was then.</param>
/// <param name="Provenance">Its origin and the steps since; the last is the one that removed it, with the reason as its detail.</param>
public sealed record RemovedRecord<T>(T Value, Provenance Provenance);
