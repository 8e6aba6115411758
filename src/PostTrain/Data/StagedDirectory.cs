namespace PostTrain.Data;

/// <summary>A directory that is filled beside its place and renamed when it is whole; what was not published is deleted.</summary>
internal sealed class StagedDirectory : IDisposable
{
    private readonly string target;
    private bool published;

    /// <param name="target">The place, an absolute path. Its parents are created.</param>
    internal StagedDirectory(string target)
    {
        this.target = target;
        var parent =
            System.IO.Path.GetDirectoryName(target)
            ?? throw new ArgumentException($"target must name a directory, but '{target}' is the root of a file system.", nameof(target));
        Path = System.IO.Path.Combine(parent, $".{Guid.NewGuid():N}.tmp");
        Directory.CreateDirectory(Path);
    }

    /// <summary>Where to write.</summary>
    internal string Path { get; }

    /// <summary>Takes the place of what is there, if anything is; that stays where the rename fails.</summary>
    internal void Publish()
    {
        if (!Directory.Exists(target))
        {
            Directory.Move(Path, target);
            published = true;
            return;
        }

        var old = Path + ".old";
        Directory.Move(target, old);
        try
        {
            Directory.Move(Path, target);
        }
        catch
        {
            Directory.Move(old, target);
            throw;
        }

        published = true;
        Delete(old);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!published)
            Delete(Path);
    }

    // The first failure is the one to report: one that follows from it must not hide it.
    private static void Delete(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { }
    }
}
