using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using PostTrain.Data;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Writes safetensors files in the order of the reference implementation: widest elements first, then by name.</summary>
internal static class SafetensorsWriter
{
    private const long PieceElements = 1L << 27;

    /// <param name="path">The file to write or to replace.</param>
    /// <param name="tensors">Names and tensors.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, or null for none.</param>
    /// <param name="type">Type of the written floating-point tensors; null: unchanged. Each is converted when it is written.</param>
    public static void Write(
        string path,
        IEnumerable<(string Name, Tensor Tensor)> tensors,
        IReadOnlyDictionary<string, string>? metadata,
        ScalarType? type = null
    )
    {
        Write(
            path,
            tensors.Select(item => new SafetensorsSource(item.Name, StoredType(item.Tensor, type), item.Tensor.shape, () => item.Tensor)),
            metadata
        );
    }

    /// <summary>Writes tensors that are each made when its turn comes.</summary>
    /// <param name="path">The file to write or to replace.</param>
    /// <param name="tensors">The tensors. Those created in the call of <see cref="SafetensorsSource.Make"/> are disposed after
    /// writing.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, or null for none.</param>
    public static void Write(string path, IEnumerable<SafetensorsSource> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var ordered = tensors
            .OrderByDescending(item => SafetensorsTypes.SizeOf(item.Type))
            .ThenBy(item => item.Name, StringComparer.Ordinal)
            .ToList();
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        foreach (var item in ordered)
        {
            if (!names.Add(item.Name))
                throw new ArgumentException(
                    $"The name '{item.Name}' is given twice or reserved; every tensor needs its own.",
                    nameof(tensors)
                );
        }

        var header = Header(ordered, metadata);
        AtomicFile.Write(
            path,
            stream =>
            {
                Span<byte> length = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
                stream.Write(length);
                stream.Write(header);
                foreach (var item in ordered)
                    WriteData(stream, item);
            }
        );
    }

    /// <summary>The type that a tensor is written as.</summary>
    public static ScalarType StoredType(Tensor tensor, ScalarType? type) =>
        type is { } given && tensor.is_floating_point() ? given : tensor.dtype;

    private static byte[] Header(List<SafetensorsSource> sources, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(item => item.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var item in sources)
            {
                json.WriteStartObject(item.Name);
                json.WriteString("dtype", SafetensorsTypes.NameOf(item.Type));
                json.WriteStartArray("shape");
                foreach (var size in item.Shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset += item.Bytes;
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // The data starts at a multiple of 8 bytes; spaces after the object are allowed.
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteData(Stream stream, SafetensorsSource source)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var tensor = source.Make();
        if (!tensor.shape.AsSpan().SequenceEqual([.. source.Shape]))
            throw new InvalidOperationException(
                $"tensor '{source.Name}' has the shape [{string.Join(",", tensor.shape)}], expected [{string.Join(",", source.Shape)}]."
            );
        var flat = tensor.detach().cpu().to_type(source.Type).contiguous().reshape(-1);
        var count = flat.NumberOfElements;
        for (long start = 0; start < count; start += PieceElements)
        {
            using var piece = flat.narrow(0, start, Math.Min(PieceElements, count - start));
            stream.Write(piece.bytes);
        }
    }
}
