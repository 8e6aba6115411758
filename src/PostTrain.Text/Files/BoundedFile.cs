using System.Text;

namespace PostTrain.Text.Files;

/// <summary>Reads small files whole, with a limit on their size.</summary>
internal static class BoundedFile
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Opens a file for reading; the error for a missing file or a directory says what was expected.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, or it is a directory.</exception>
    internal static FileStream Open(string path, string expected)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new FileNotFoundException($"{path} is a directory, expected {expected}", path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path} does not exist, expected {expected}", path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
    }

    /// <summary>Reads all bytes of a file of at most <paramref name="maximum"/> bytes.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is longer.</exception>
    internal static byte[] ReadBytes(string path, int maximum, string expected)
    {
        using var stream = Open(path, expected);
        var length = stream.Length;
        if (length > maximum)
            throw new InvalidDataException($"{path} has {length} bytes, expected {expected} of at most {maximum} bytes");
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Reads the text of a UTF-8 file of at most <paramref name="maximum"/> bytes, without its byte order mark.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is longer, or is not UTF-8.</exception>
    internal static string ReadText(string path, int maximum, string expected)
    {
        ReadOnlySpan<byte> bytes = ReadBytes(path, maximum, expected);
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException exception)
        {
            throw new InvalidDataException($"{path} is not UTF-8 ({exception.Message}), expected {expected}", exception);
        }
    }
}
