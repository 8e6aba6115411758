namespace PostTrain.Data.Records.Files;

/// <summary>Walk over a structure of Thrift's compact protocol that believes nothing: counts and lengths must fit the bytes that follow,
/// and
/// known fields must have their types. What has been walked over can be read by a reader that trusts it.</summary>
/// <param name="bytes">The structure, and possibly more behind it.</param>
internal ref struct ThriftWalk(ReadOnlySpan<byte> bytes)
{
    private const int MostDepth = 24;
    private readonly ReadOnlySpan<byte> bytes = bytes;
    private int place;

    /// <summary>Bytes walked over.</summary>
    internal readonly int Length => place;

    /// <summary>Walks over a structure and returns its whole numbers: those of field 5 under 5, those of field 1 in the structure of field
    /// 5
    /// under 501.</summary>
    /// <param name="shape">Its fields; see <see cref="ParquetShapes"/>.</param>
    /// <exception cref="InvalidDataException">The bytes are no such structure.</exception>
    internal Dictionary<int, long> Numbers(string shape)
    {
        var numbers = new Dictionary<int, long>();
        Structure(shape, 0, 0, numbers);
        return numbers;
    }

    private void Structure(string shape, int depth, int prefix, Dictionary<int, long>? numbers)
    {
        if (depth > MostDepth)
            throw Broken("structures are nested too deeply");
        string[] fields = ParquetShapes.Fields(shape);
        int id = 0;
        while (Next() is var head && head != 0)
        {
            id = head >> 4 == 0 ? checked((int)Signed()) : id + (head >> 4);
            int type = head & 15;
            string? expected = id >= 1 && id <= fields.Length ? fields[id - 1] : null;
            if (expected is not null && !ParquetShapes.Fits(expected, type))
                throw Broken($"field {id} of {shape} has the type {type}");
            // A truth value of a field is its type.
            if (type is 1 or 2)
                continue;
            if (type is not (4 or 5 or 6))
            {
                Value(type, expected, depth, (prefix + id) * 100, depth == 0 ? numbers : null);
                continue;
            }
            long number = Signed();
            numbers?.TryAdd(prefix + id, number);
        }
    }

    private void Value(int type, string? expected, int depth, int prefix = 0, Dictionary<int, long>? numbers = null)
    {
        switch (type)
        {
            case 1 or 2 or 3:
                Skip(1);
                break;
            case 4 or 5 or 6:
                Signed();
                break;
            case 7:
                Skip(8);
                break;
            case 8:
                Skip(Unsigned());
                break;
            case 9 or 10:
                List(expected, depth);
                break;
            case 11:
                Map(depth);
                break;
            case 12:
                Structure(ParquetShapes.Inner(expected), depth + 1, prefix, numbers);
                break;
            case 13:
                Skip(16);
                break;
            default:
                throw Broken($"a value has the type {type}");
        }
    }

    private void List(string? expected, int depth)
    {
        int head = Next(),
            type = head & 15;
        long count = head >> 4 == 15 ? Unsigned() : head >> 4;
        string? item = expected is null ? null : ParquetShapes.Item(expected);
        if (item is not null && count > 0 && !ParquetShapes.Fits(item, type))
            throw Broken($"a list of {item} has items of the type {type}");
        // Every item takes a byte at least.
        if (count > bytes.Length - place || depth > MostDepth)
            throw Broken($"a list has {count} items in {bytes.Length - place} bytes");
        for (long i = 0; i < count; i++)
            Value(type, item, depth + 1);
    }

    private void Map(int depth)
    {
        long count = Unsigned();
        if (count == 0)
            return;
        int types = Next();
        if (count > bytes.Length - place || depth > MostDepth)
            throw Broken($"a map has {count} items in {bytes.Length - place} bytes");
        for (long i = 0; i < count; i++)
        {
            Value(types >> 4, null, depth + 1);
            Value(types & 15, null, depth + 1);
        }
    }

    private int Next() => place < bytes.Length ? bytes[place++] : throw Broken("it ends within a value");

    private void Skip(long count)
    {
        if (count < 0 || count > bytes.Length - place)
            throw Broken($"a value has {count} bytes where {bytes.Length - place} follow");
        place += (int)count;
    }

    private long Unsigned()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            int next = Next();
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
                return value <= long.MaxValue ? (long)value : throw Broken("a length is negative");
        }
        throw Broken("a number does not end");
    }

    private long Signed()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            int next = Next();
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
                return (long)(value >> 1) ^ -(long)(value & 1);
        }
        throw Broken("a number does not end");
    }

    private readonly InvalidDataException Broken(string reason) => new($"its description is damaged at byte {place}: {reason}");
}
