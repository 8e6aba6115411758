namespace PostTrain.Torch.Tests;

/// <summary>Finds the repository's files from where the tests run; the paths that a deterministic build compiles in are no real ones.</summary>
internal static class Repository
{
    internal static string PathOf(params string[] parts)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "PostTrain.sln"))) return Path.Combine([folder.FullName, .. parts]);
        throw new DirectoryNotFoundException($"no PostTrain.sln above {AppContext.BaseDirectory}");
    }
}
