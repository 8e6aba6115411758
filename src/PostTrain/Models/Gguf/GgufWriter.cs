using System.Text;
using PostTrain.Data;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.Gguf;

/// <summary>A tensor that is made when its turn to be written comes.</summary>
/// <param name="Name">Unique in the file.</param>
/// <param name="Shape">Row-major.</param>
/// <param name="Type">What it is written as.</param>
/// <param name="Make">Gives a tensor of the shape, which the writer disposes.</param>
internal sealed record GgufSource(string Name, IReadOnlyList<long> Shape, GgufType Type, Func<Tensor> Make);

/// <summary>Writes GGUF version 3, little endian, data aligned to 32 bytes, tensor by tensor.</summary>
internal static class GgufWriter
{
    internal const uint Magic = 0x46554747;
    internal const int Alignment = 32;
    private const long PieceElements = 1 << 20;

    /// <param name="path">The file to write or to replace; whole or not at all.</param>
    /// <param name="metadata">Keys and values in their order: numbers, bool, string, or arrays of them.</param>
    /// <param name="tensors">Each is made, written and disposed before the next.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="stop">Looked at before each tensor; what was begun is deleted.</param>
    internal static void Write(
        string path,
        IReadOnlyList<(string Key, object Value)> metadata,
        IReadOnlyList<GgufSource> tensors,
        IProgress<ExportProgress>? progress,
        CancellationToken stop
    ) =>
        AtomicFile.Write(
            path,
            stream =>
            {
                using (var header = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true))
                    Header(header, metadata, tensors);
                Pad(stream);
                for (var i = 0; i < tensors.Count; i++)
                {
                    stop.ThrowIfCancellationRequested();
                    Data(stream, tensors[i]);
                    Pad(stream);
                    progress?.Report(new ExportProgress(i + 1, tensors.Count, tensors[i].Name));
                }
            }
        );

    private static void Header(BinaryWriter writer, IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<GgufSource> tensors)
    {
        writer.Write(Magic);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        foreach (var (key, value) in metadata)
        {
            Text(writer, key);
            Value(writer, value);
        }

        long offset = 0;
        foreach (var tensor in tensors)
        {
            Text(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Count);
            foreach (var size in tensor.Shape.Reverse())
                writer.Write((ulong)size);
            writer.Write((uint)tensor.Type);
            writer.Write((ulong)offset);
            offset += Aligned(GgufBlocks.BytesOf(tensor.Type, Elements(tensor)));
        }
    }

    internal static long Aligned(long length, long alignment = Alignment) => (length + alignment - 1) / alignment * alignment;

    private static void Value(BinaryWriter writer, object value)
    {
        writer.Write((uint)TypeOf(value));
        if (value is not Array array)
        {
            Scalar(writer, value);
            return;
        }

        var element = array.GetType().GetElementType()!;
        writer.Write((uint)TypeOf(element == typeof(string) ? "" : Activator.CreateInstance(element)!));
        writer.Write((ulong)array.Length);
        foreach (var item in array)
            Scalar(writer, item);
    }

    private static GgufValueType TypeOf(object value) =>
        value switch
        {
            byte => GgufValueType.UInt8,
            sbyte => GgufValueType.Int8,
            ushort => GgufValueType.UInt16,
            short => GgufValueType.Int16,
            uint => GgufValueType.UInt32,
            int => GgufValueType.Int32,
            float => GgufValueType.Float32,
            bool => GgufValueType.Bool,
            string => GgufValueType.String,
            Array => GgufValueType.Array,
            ulong => GgufValueType.UInt64,
            long => GgufValueType.Int64,
            double => GgufValueType.Float64,
            _ => throw new ArgumentException($"metadata of type {value.GetType().Name} is not in the format", nameof(value)),
        };

    private static void Scalar(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case string text:
                Text(writer, text);
                break;
            case bool flag:
                writer.Write((byte)(flag ? 1 : 0));
                break;
            case uint number:
                writer.Write(number);
                break;
            case int number:
                writer.Write(number);
                break;
            case float number:
                writer.Write(number);
                break;
            case ulong number:
                writer.Write(number);
                break;
            case long number:
                writer.Write(number);
                break;
            case double number:
                writer.Write(number);
                break;
            case ushort number:
                writer.Write(number);
                break;
            case short number:
                writer.Write(number);
                break;
            case byte number:
                writer.Write(number);
                break;
            case sbyte number:
                writer.Write(number);
                break;
            default:
                throw new ArgumentException($"metadata of type {value.GetType().Name} is not in the format", nameof(value));
        }
    }

    private static void Text(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static void Pad(Stream stream)
    {
        Span<byte> zeros = stackalloc byte[Alignment];
        zeros.Clear();
        stream.Write(zeros[..(int)(Aligned(stream.Position) - stream.Position)]);
    }

    private static long Elements(GgufSource tensor) => tensor.Shape.Aggregate(1L, (product, size) => checked(product * size));

    private static void Data(Stream stream, GgufSource source)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var tensor = source.Make();
        if (!tensor.shape.AsSpan().SequenceEqual([.. source.Shape]))
            throw new InvalidOperationException(
                $"tensor '{source.Name}' has the shape [{string.Join(", ", tensor.shape)}], expected [{string.Join(", ", source.Shape)}]"
            );
        var flat = tensor.cpu().to_type(ScalarType.Float32).contiguous().reshape(-1);
        var count = flat.NumberOfElements;
        var bytes = new byte[GgufBlocks.BytesOf(source.Type, Math.Min(count, PieceElements))];
        for (long start = 0; start < count; start += PieceElements)
        {
            using var piece = flat.narrow(0, start, Math.Min(PieceElements, count - start));
            var target = bytes.AsSpan(0, (int)GgufBlocks.BytesOf(source.Type, piece.NumberOfElements));
            if (source.Type == GgufType.F32)
                piece.bytes.CopyTo(target);
            else
                GgufQuantizer.Encode(source.Type, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(piece.bytes), target);
            stream.Write(target);
        }
    }
}
