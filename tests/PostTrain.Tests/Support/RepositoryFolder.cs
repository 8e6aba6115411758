namespace PostTrain.Tests.Support;

/// <summary>Where the tests' sources lie.</summary>
internal static class RepositoryFolder
{
    internal static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "PostTrain.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"no PostTrain.sln above {AppContext.BaseDirectory}");
    }
}
