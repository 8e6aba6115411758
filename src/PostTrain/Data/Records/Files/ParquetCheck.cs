using Parquet;
using Parquet.Meta;

namespace PostTrain.Data.Records.Files;

/// <summary>Looks through a Parquet file's description before memory and time are given to it: its footer, and the header of every
/// page.</summary>
internal static class ParquetCheck
{
    private const long MostBytes = 4L << 30;
    private const long MostPageBytes = 1L << 30;
    private const long MostValues = 100_000_000;
    private const int MostFooterBytes = 512 << 20;
    private const int MostHeaderBytes = 1 << 20;
    private const int FirstHeaderBytes = 1 << 11;

    /// <summary>Returns the number of row groups.</summary>
    /// <exception cref="InvalidDataException">The file is no Parquet file, is cut off or damaged, or holds more than can be
    /// read.</exception>
    internal static int Groups(Stream stream, string path)
    {
        Footer(stream, path);
        using var bounded = Bounded(stream, path);
        var reader = ParquetReader.CreateAsync(bounded, null, leaveStreamOpen: true).GetAwaiter().GetResult();
        try
        {
            foreach (var group in reader.Metadata!.RowGroups)
                Group(group, stream, path);
            return reader.RowGroupCount;
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>Returns the file from its beginning. Each part is read once, the description of the whole a few times.</summary>
    internal static StrictStream Bounded(Stream stream, string path)
    {
        stream.Position = 0;
        return new StrictStream(stream, path, 4 * stream.Length + (1 << 20));
    }

    private static void Footer(Stream stream, string path)
    {
        Span<byte> magic = stackalloc byte[4];
        stream.Position = 0;
        if (stream.Length < 12 || stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4 || !magic.SequenceEqual("PAR1"u8))
            throw new InvalidDataException(
                magic.SequenceEqual("vers"u8)
                    ? $"{path} is the pointer of a large file, not the file itself; download the data (git lfs pull)"
                    : $"{path} is not a Parquet file: it does not begin with PAR1"
            );
        stream.Position = stream.Length - 8;
        Span<byte> end = stackalloc byte[8];
        stream.ReadExactly(end);
        int length = BitConverter.ToInt32(end);
        if (!end[4..].SequenceEqual("PAR1"u8) || length < 0 || length > stream.Length - 12 || length > MostFooterBytes)
            throw new InvalidDataException($"{path} is cut off or damaged: it does not end with a Parquet footer");
        var footer = new byte[length];
        stream.Position = stream.Length - 8 - length;
        stream.ReadExactly(footer);
        if (new ThriftWalk(footer).Numbers("File").GetValueOrDefault(3) is < 0 or > int.MaxValue)
            throw new InvalidDataException($"{path} is damaged: its number of rows is impossible");
    }

    private static void Group(RowGroup group, Stream stream, string path)
    {
        long bytes = 0;
        var header = new byte[MostHeaderBytes];
        foreach (var column in group.Columns)
        {
            var data =
                column.MetaData ?? throw new InvalidDataException($"{path}: a column has no metadata, expected a whole Parquet file");
            if (column.CryptoMetadata is not null)
                throw new InvalidDataException($"{path} is encrypted, expected a Parquet file without encryption");
            long start = Math.Min(data.DataPageOffset, data.DictionaryPageOffset is > 0 and var dictionary ? dictionary : long.MaxValue);
            if (
                data.NumValues is < 0 or > MostValues
                || data.TotalUncompressedSize < 0
                || data.TotalCompressedSize < 0
                || start < 4
                || start > stream.Length
                || data.TotalCompressedSize > stream.Length - start
            )
                throw new InvalidDataException(
                    $"{path}: the column {string.Join('.', data.PathInSchema)} is said to have {data.NumValues} values in "
                        + $"{data.TotalCompressedSize} bytes at {start}, expected at most {MostValues} within the file's {stream.Length}"
                );
            bytes += data.TotalUncompressedSize;
            Pages(data, start, stream, path, header);
        }
        if (group.NumRows is < 0 or > MostValues || bytes > MostBytes)
            throw new InvalidDataException(
                $"{path}: a row group has {group.NumRows} rows and {bytes} bytes, expected at most {MostValues} and {MostBytes}: "
                    + "write the file with smaller row groups"
            );
    }

    // A page's header says how long it is and how long it becomes. Some writers leave headers out of a column's size: the file is the
    // bound.
    private static void Pages(ColumnMetaData data, long start, Stream stream, string path, byte[] buffer)
    {
        long place = start,
            values = 0,
            bytes = 0;
        while (values < data.NumValues)
        {
            var (length, numbers) = Header(place, stream, buffer);
            long inflated = numbers.GetValueOrDefault(2, -1),
                stored = numbers.GetValueOrDefault(3, -1);
            long held = numbers.GetValueOrDefault(501) + numbers.GetValueOrDefault(801),
                entries = numbers.GetValueOrDefault(701);
            place += length + stored;
            values += held;
            bytes += inflated;
            if (
                inflated is < 0 or > MostPageBytes
                || stored < 0
                || held is < 0 or > MostValues
                || entries is < 0 or > MostValues
                || place > stream.Length
                || bytes > MostBytes
            )
                throw new InvalidDataException(
                    $"{path} is damaged: a page of {string.Join('.', data.PathInSchema)} is said to have {held} values in {stored} bytes "
                        + $"that become {inflated}"
                );
        }
    }

    // Most headers are short; one with long statistics is read again.
    private static (int Length, Dictionary<int, long> Numbers) Header(long place, Stream stream, byte[] buffer)
    {
        int most = (int)Math.Min(buffer.Length, stream.Length - place),
            first = Math.Min(most, FirstHeaderBytes);
        try
        {
            return Walk(first);
        }
        catch (InvalidDataException) when (first < most)
        {
            return Walk(most);
        }

        (int, Dictionary<int, long>) Walk(int count)
        {
            stream.Position = place;
            stream.ReadExactly(buffer.AsSpan(0, count));
            var walk = new ThriftWalk(buffer.AsSpan(0, count));
            var numbers = walk.Numbers("Page");
            return (walk.Length, numbers);
        }
    }
}
