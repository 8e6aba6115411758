namespace PostTrain.Data.Curation;

/// <summary>Origin of a record, and the steps that it went through.</summary>
/// <param name="Source">Name of the data set, such as a file.</param>
/// <param name="Index">Place of the record there, from 0.</param>
/// <param name="Steps">Steps of curation in their order.</param>
public sealed record Provenance(string Source, int Index, IReadOnlyList<ProvenanceStep> Steps)
{
    /// <summary>Returns the same with one more step.</summary>
    internal Provenance After(string name, string? detail = null) => this with { Steps = [.. Steps, new ProvenanceStep(name, detail)] };

    /// <summary>Returns the record's place, such as <c>train.jsonl[17]</c>.</summary>
    public override string ToString() => $"{Source}[{Index}]";
}
