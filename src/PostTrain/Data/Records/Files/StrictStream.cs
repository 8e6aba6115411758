namespace PostTrain.Data.Records.Files;

/// <summary>Bytes of a file that refuses to be read past its end, or again and again: the readers of damaged files may do both without an
/// end.</summary>
/// <param name="inner">The file; it belongs to the caller.</param>
/// <param name="path">Its name, for errors.</param>
/// <param name="most">Most bytes that are given.</param>
internal sealed class StrictStream(Stream inner, string path, long most) : Stream
{
    private long given;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    public override int Read(Span<byte> buffer)
    {
        int count = inner.Read(buffer);
        if (count == 0 && buffer.Length > 0)
            throw new InvalidDataException($"{path} is cut off or damaged: it refers to bytes beyond its end");
        given += count;
        return given <= most
            ? count
            : throw new InvalidDataException($"{path} is damaged: reading a part of it takes more than {most} bytes");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int ReadByte()
    {
        Span<byte> one = stackalloc byte[1];
        return Read(one) == 1 ? one[0] : -1;
    }

    // A file does not wait, so nothing is left to be awaited.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

    public override void Flush() { }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
