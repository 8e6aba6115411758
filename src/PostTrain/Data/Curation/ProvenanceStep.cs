namespace PostTrain.Data.Curation;

/// <summary>A step of curation that a record went through.</summary>
/// <param name="Name">Name of the step.</param>
/// <param name="Detail">What the step found or changed; null where it only let the record pass.</param>
public sealed record ProvenanceStep(string Name, string? Detail = null);
