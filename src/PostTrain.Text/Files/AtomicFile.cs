namespace PostTrain.Text.Files;

/// <summary>Writes a file atomically: a reader sees either the whole old content or the whole new content.</summary>
/// <remarks>The content is written to a temporary file in the same directory, flushed to disk and renamed over the target, which POSIX and
/// NTFS do in one step. On failure (the callback throws, the disk is full, the target cannot be replaced) the temporary file is deleted,
/// the old file is unchanged, and the exception reaches the caller.</remarks>
internal static class AtomicFile
{
    /// <summary>Creates or replaces <paramref name="path"/> with the output of <paramref name="write"/>. Missing directories are
    /// created.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="write">Receives an empty, seekable stream and must leave it open: wrap it with <c>leaveOpen: true</c>.</param>
    /// <exception cref="IOException">The file could not be written. An existing file is unchanged.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);

        var target = Path.GetFullPath(path);
        var directory =
            Path.GetDirectoryName(target)
            ?? throw new ArgumentException($"path must name a file, but '{path}' is the root of a file system.", nameof(path));
        Directory.CreateDirectory(directory);

        // A short name: the target's name with a suffix could exceed the file system's limit of 255 bytes.
        var temporary = Path.Combine(directory, $".{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    /// <summary>Creates or replaces <paramref name="path"/> with a UTF-8 text without byte order mark.</summary>
    public static void WriteText(string path, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Write(
            path,
            stream =>
            {
                using var writer = new StreamWriter(stream, leaveOpen: true);
                writer.Write(text);
            }
        );
    }

    private static void DeleteQuietly(string path)
    {
        // Report the first failure: a later one must not hide it.
        try
        {
            File.Delete(path);
        }
        catch (IOException) { }
        catch (UnauthorizedAccessException) { }
    }
}
