namespace PostTrain.Data.Curation;

/// <summary>A step of curation that a record went through.</summary>
/// <param name="Name">Name of the step.</param>
/// <param name="Detail">Finding or change of the step; null where it only let the record pass.</param>
public sealed record ProvenanceStep(string Name, string? Detail = null);
