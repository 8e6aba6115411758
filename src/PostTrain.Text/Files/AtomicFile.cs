namespace PostTrain.Text.Files;

/// <summary>Writes a file so that a reader sees either the whole old content or the whole new content, never a part.</summary>
/// <remarks>The content goes to a temporary file in the same directory, is flushed to the disk and then renamed over the target, which
/// POSIX and NTFS do in one step. When anything fails (the callback throws, the disk is full, the target cannot be replaced) the temporary
/// file is deleted, the old file stays as it was, and the exception reaches the caller.</remarks>
internal static class AtomicFile
{
    /// <summary>Creates or replaces <paramref name="path"/> with what <paramref name="write"/> writes. Missing directories are
    /// created.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="write">Receives an empty, seekable stream and leaves it open: wrap it with <c>leaveOpen: true</c>.</param>
    /// <exception cref="IOException">The file could not be written; the old one is untouched.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);

        var target = Path.GetFullPath(path);
        var directory =
            Path.GetDirectoryName(target)
            ?? throw new ArgumentException($"path must name a file, but '{path}' is the root of a file system.", nameof(path));
        Directory.CreateDirectory(directory);

        // A short name of its own: the target's name with an ending could pass the file system's limit of 255 bytes.
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

    /// <summary>Creates or replaces <paramref name="path"/> with a text in UTF-8 without a byte order mark.</summary>
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
        // The first failure is the one to report: one that follows from it must not hide it.
        try
        {
            File.Delete(path);
        }
        catch (IOException) { }
        catch (UnauthorizedAccessException) { }
    }
}
