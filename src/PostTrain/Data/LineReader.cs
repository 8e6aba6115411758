using System.Text;

namespace PostTrain.Data;

/// <summary>Reads a file line by line as bytes, holding one line at a time and refusing one that is too long.</summary>
internal static class LineReader
{
    /// <summary>The lines with their numbers, counted from 1, without line ends (LF or CRLF) and without a byte order mark.</summary>
    /// <exception cref="InvalidDataException">A line has more than <paramref name="maximum"/> bytes.</exception>
    internal static IEnumerable<(int Number, ReadOnlyMemory<byte> Line)> Read(Stream stream, string path, int maximum)
    {
        var chunk = new byte[1 << 16];
        using var line = new MemoryStream();
        var number = 1;
        int count;
        while ((count = stream.Read(chunk, 0, chunk.Length)) > 0)
        {
            var start = 0;
            while (start < count)
            {
                var end = Array.IndexOf(chunk, (byte)'\n', start, count - start);
                var length = (end < 0 ? count : end) - start;
                if (line.Length + length > maximum)
                    throw new InvalidDataException(
                        $"{path}, line {number}: the line has more than {maximum} bytes, expected a JSON object within them"
                    );
                line.Write(chunk, start, length);
                if (end < 0)
                    break;
                yield return (number, Trim(line, number));
                line.SetLength(0);
                number++;
                start = end + 1;
            }
        }

        if (line.Length > 0)
            yield return (number, Trim(line, number));
    }

    private static ReadOnlyMemory<byte> Trim(MemoryStream line, int number)
    {
        ReadOnlyMemory<byte> bytes = line.GetBuffer().AsMemory(0, (int)line.Length);
        if (number == 1 && bytes.Span.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        return bytes.Length > 0 && bytes.Span[^1] == '\r' ? bytes[..^1] : bytes;
    }
}
