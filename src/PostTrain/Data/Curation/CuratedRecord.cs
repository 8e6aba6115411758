namespace PostTrain.Data.Curation;

/// <summary>A record with its provenance.</summary>
/// <typeparam name="T">The record's type.</typeparam>
/// <param name="Value">The record.</param>
/// <param name="Provenance">Its origin and the steps since.</param>
public sealed record CuratedRecord<T>(T Value, Provenance Provenance);
