using System.Buffers.Binary;
using System.IO.Compression;
using PostTrain.Text.Files;

namespace PostTrain.Data.Records.Files;

/// <summary>Bytes of a file of records, inflated if its name ends with <c>.gz</c>. One record may take so many and no more, and what is
/// damaged is refused by name.</summary>
internal sealed class RecordStream : Stream
{
    private readonly Stream inner;
    private readonly string path;
    private readonly long most;

    // What the end of a gzip file says of the number of its bytes, modulo 2³²; null of other files.
    private readonly uint? promised;
    private long given;
    private uint total;

    private RecordStream(Stream inner, string path, long most, uint? promised) =>
        (this.inner, this.path, this.most, this.promised) = (inner, path, most, promised);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">Most bytes between two calls of <see cref="Begin"/>.</param>
    internal static RecordStream Open(string path, long most)
    {
        var file = BoundedFile.Open(path, RecordRows.Expected);
        return path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new RecordStream(new GZipStream(file, CompressionMode.Decompress), path, most, Promised(file))
            : new RecordStream(file, path, most, null);
    }

    /// <summary>Begins a record.</summary>
    internal void Begin() => given = 0;

    public override int Read(Span<byte> buffer)
    {
        int count;
        try
        {
            count = inner.Read(buffer);
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{path} is cut off or damaged, expected a gzip file: {exception.Message}", exception);
        }
        total += (uint)count;
        // The inflater takes the end of a file that was cut off for the end of its data.
        if (count == 0 && buffer.Length > 0 && promised is { } size && size != total)
            throw new InvalidDataException(
                $"{path} is cut off or damaged, or has several parts: it holds {total} bytes and ends with the size {size}; expected a "
                    + "gzip file of one part"
            );
        given += count;
        return given <= most ? count : throw new InvalidDataException($"{path}: a record has more than {most} bytes");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    private static uint Promised(Stream file)
    {
        Span<byte> size = stackalloc byte[4];
        if (file.Length < size.Length)
            return 0;
        file.Seek(-size.Length, SeekOrigin.End);
        file.ReadExactly(size);
        file.Position = 0;
        return BinaryPrimitives.ReadUInt32LittleEndian(size);
    }

    // A file does not wait, so nothing is left to be awaited.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
