namespace PostTrain.Tests.Golden;

/// <summary>A fact about a folder of files beside the golden values; skipped with a reason where it is not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GoldenFolderFactAttribute : FactAttribute
{
    public GoldenFolderFactAttribute(params string[] path) => Skip = ReasonOf(path);

    /// <summary>Null where the folder is there.</summary>
    internal static string? ReasonOf(params string[] path)
    {
        var folder = Path.Combine([GoldenFile.Directory, .. path]);
        return Directory.Exists(folder) ? null : $"There is no {folder}: POSTTRAIN_GOLDEN names golden values without it.";
    }
}

/// <summary>A theory about such folders.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GoldenFolderTheoryAttribute : TheoryAttribute
{
    public GoldenFolderTheoryAttribute(params string[] path) => Skip = GoldenFolderFactAttribute.ReasonOf(path);
}
