namespace PostTrain.Models.Gguf;

/// <summary>The header of a GGUF file, checked before a tensor is read.</summary>
internal sealed record GgufHeader(
    int Version,
    long Alignment,
    long DataStart,
    IReadOnlyDictionary<string, object> Metadata,
    IReadOnlyList<GgufTensor> Tensors
)
{
    private const string AlignmentKey = "general.alignment";
    private const int MaximumKeyBytes = 65_535;
    private const int MaximumRank = 4;
    private const int LeastEntryBytes = 8 + 4 + 1;
    private const int LeastTensorBytes = 8 + 4 + 4 + 8;

    internal static GgufHeader Read(Stream stream, string path)
    {
        var reader = new GgufReader(stream, path);
        var magic = reader.UInt32("the magic number");
        if (magic != GgufWriter.Magic)
            throw reader.Broken($"it begins with {magic:X8}, expected the letters GGUF");
        var version = reader.UInt32("the version");
        if (version is not (2 or 3))
            throw reader.Broken(
                version is 0x02000000 or 0x03000000
                    ? "it is big endian, expected little endian"
                    : $"it has the version {version}, expected 2 or 3"
            );
        var tensors = reader.Count("tensors", LeastTensorBytes);
        var entries = reader.Count("metadata entries", LeastEntryBytes);
        var metadata = ReadMetadata(reader, entries);
        var alignment = AlignmentOf(reader, metadata);
        var infos = ReadInfos(reader, tensors);
        var start = GgufWriter.Aligned(stream.Position, alignment);
        return new GgufHeader((int)version, alignment, start, metadata, Place(reader, infos, start, alignment));
    }

    private static Dictionary<string, object> ReadMetadata(GgufReader reader, long count)
    {
        var metadata = new Dictionary<string, object>(StringComparer.Ordinal);
        for (long i = 0; i < count; i++)
        {
            var key = reader.Text($"key {i}", MaximumKeyBytes);
            if (!metadata.TryAdd(key, reader.Value($"the value of '{key}'")))
                throw reader.Broken($"the key '{key}' occurs twice");
        }

        return metadata;
    }

    private static long AlignmentOf(GgufReader reader, Dictionary<string, object> metadata)
    {
        if (!metadata.TryGetValue(AlignmentKey, out var value))
            return GgufWriter.Alignment;
        if (value is not uint alignment || alignment is < 8 or > 1 << 20 || !System.Numerics.BitOperations.IsPow2(alignment))
            throw reader.Broken($"'{AlignmentKey}' is {value}, expected a power of two from 8 to {1 << 20} as UInt32");
        return alignment;
    }

    private static List<(string Name, long[] Shape, GgufType Type, ulong Offset)> ReadInfos(GgufReader reader, long count)
    {
        var infos = new List<(string, long[], GgufType, ulong)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (long i = 0; i < count; i++)
        {
            var name = reader.Text($"the name of tensor {i}", MaximumKeyBytes);
            if (!names.Add(name))
                throw reader.Broken($"the tensor '{name}' occurs twice");
            var rank = reader.UInt32($"the number of dimensions of '{name}'");
            if (rank is 0 or > MaximumRank)
                throw reader.Broken($"the tensor '{name}' has {rank} dimensions, expected 1 to {MaximumRank}");
            var shape = new long[rank];
            long elements = 1;
            for (var d = (int)rank - 1; d >= 0; d--)
            {
                var size = reader.UInt64($"a size of '{name}'");
                if (size is 0 or > long.MaxValue / 8 || (UInt128)size * (UInt128)elements > long.MaxValue / 8)
                    throw reader.Broken($"the tensor '{name}' has a size of {size} in dimension {d}, which no file holds");
                shape[d] = (long)size;
                elements *= (long)size;
            }

            var type = (GgufType)reader.UInt32($"the type of '{name}'");
            if (!GgufBlocks.Knows(type))
                throw reader.Broken($"the tensor '{name}' has the type {(uint)type}, expected one of {GgufBlocks.Known}");
            if (shape[^1] % GgufBlocks.Elements(type) != 0)
                throw reader.Broken(
                    $"the tensor '{name}' has rows of {shape[^1]} elements, expected a multiple of {GgufBlocks.Elements(type)} for {type}"
                );
            infos.Add((name, shape, type, reader.UInt64($"the offset of '{name}'")));
        }

        return infos;
    }

    // Every tensor within the data section, aligned, and none over another.
    private static List<GgufTensor> Place(
        GgufReader reader,
        List<(string Name, long[] Shape, GgufType Type, ulong Offset)> infos,
        long start,
        long alignment
    )
    {
        var tensors = new List<GgufTensor>();
        foreach (var (name, shape, type, offset) in infos)
        {
            var length = GgufBlocks.BytesOf(type, shape.Aggregate(1L, (product, size) => product * size));
            if (offset % (ulong)alignment != 0)
                throw reader.Broken($"the tensor '{name}' is at {offset}, expected a multiple of {alignment}");
            if (start > reader.Length || offset > (ulong)(reader.Length - start) || length > reader.Length - start - (long)offset)
                throw reader.Broken(
                    $"the tensor '{name}' takes {length} bytes at {offset} of a data section of {Math.Max(0, reader.Length - start)} bytes"
                );
            tensors.Add(new GgufTensor(name, type, shape, start + (long)offset, length));
        }

        var end = start;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Offset))
        {
            if (tensor.Offset < end)
                throw reader.Broken($"the tensor '{tensor.Name}' overlaps the one before it");
            end = tensor.Offset + tensor.Length;
        }

        return tensors;
    }
}
