namespace PostTrain.Data.Curation;

/// <summary>The count of a step of curation.</summary>
/// <param name="Name">Name of the step.</param>
/// <param name="Before">Records before it.</param>
/// <param name="After">Records after it.</param>
/// <param name="Changed">Records that it changed.</param>
public sealed record CurationStep(string Name, int Before, int After, int Changed = 0)
{
    /// <summary>Returns a line such as <c>exact duplicates: 1000 → 940</c>.</summary>
    public override string ToString() => $"{Name}: {Before} → {After}{(Changed > 0 ? $", {Changed} changed" : "")}";
}
