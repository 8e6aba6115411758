using System.Text;

namespace PostTrain.Data.Records.Files;

/// <summary>Text of a file that refuses to give more than so many characters for one record, and bytes that are not UTF-8.</summary>
/// <param name="stream">The file.</param>
/// <param name="path">Its name, for errors.</param>
/// <param name="most">Most characters of a record.</param>
internal sealed class BoundedReader(Stream stream, string path, int most) : TextReader
{
    private readonly StreamReader inner = new(
        stream,
        new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true),
        detectEncodingFromByteOrderMarks: false,
        1 << 16
    );
    private bool begun;
    private long given;

    /// <summary>Begins a record.</summary>
    internal void Begin() => given = 0;

    public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

    public override int Read(Span<char> buffer)
    {
        if (given > most)
            throw new InvalidDataException(
                $"{path}: a record has more than {most} characters; a quotation mark may be missing its partner"
            );
        int count;
        try
        {
            count = inner.Read(buffer);
        }
        catch (DecoderFallbackException exception)
        {
            throw new InvalidDataException($"{path} is not UTF-8 ({exception.Message}), expected a table in UTF-8", exception);
        }
        if (!begun && count > 0 && buffer[0] == '\uFEFF')
        {
            buffer[1..count].CopyTo(buffer);
            count--;
            begun = true;
            return count > 0 ? count : Read(buffer);
        }
        begun |= count > 0;
        given += count;
        return count;
    }

    public override int Peek() => inner.Peek();

    public override int Read()
    {
        Span<char> one = stackalloc char[1];
        return Read(one) == 1 ? one[0] : -1;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
