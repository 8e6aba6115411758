namespace PostTrain.Tests.Support;

/// <summary>Finds the pretrained models that some tests use; they are not part of the repository.</summary>
internal static class RealModels
{
    /// <summary>The directory named by POSTTRAIN_MODELS, else the first <c>shared/models</c> beside the repository or one of its parents,
    /// else null.</summary>
    internal static string? Directory { get; } = Find();

    /// <summary>A path below <see cref="Directory"/>, for tests marked with <see cref="RealModelFactAttribute"/>.</summary>
    internal static string PathOf(params string[] parts) => Path.Combine([Directory!, .. parts]);

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("POSTTRAIN_MODELS") is { Length: > 0 } named)
            return System.IO.Directory.Exists(named) ? Path.GetFullPath(named) : null;
        for (var parent = new DirectoryInfo(AppContext.BaseDirectory); parent is not null; parent = parent.Parent)
        {
            var candidate = Path.Combine(parent.FullName, "shared", "models");
            if (System.IO.Directory.Exists(candidate))
                return candidate;
        }

        return null;
    }
}
