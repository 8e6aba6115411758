using System.Diagnostics.CodeAnalysis;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.Gguf;

/// <summary>An open GGUF file: metadata, tensors, and their numbers.</summary>
/// <remarks>Versions 2 and 3, little endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Everything in the header is
/// checked against the file's length before memory is taken for it. Not thread-safe.</remarks>
public sealed class GgufFile : IDisposable
{
    private const int PieceElements = 1 << 18;

    private readonly FileStream stream;
    private readonly Dictionary<string, GgufTensor> byName;

    private GgufFile(FileStream stream, GgufHeader header)
    {
        this.stream = stream;
        Path = stream.Name;
        Version = header.Version;
        Alignment = header.Alignment;
        DataStart = header.DataStart;
        Metadata = header.Metadata;
        Tensors = header.Tensors;
        byName = header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The path that was opened.</summary>
    public string Path { get; }

    /// <summary>Version of the format, 2 or 3.</summary>
    public int Version { get; }

    /// <summary>Alignment of the tensors' data in bytes.</summary>
    public long Alignment { get; }

    /// <summary>Position of the data section, counted from the start of the file.</summary>
    public long DataStart { get; }

    /// <summary>Keys and values: <see cref="byte"/> to <see cref="double"/>, <see cref="bool"/>, <see cref="string"/>, and arrays of one
    /// of them (an array of arrays is an <c>object[]</c>).</summary>
    public IReadOnlyDictionary<string, object> Metadata { get; }

    /// <summary>The tensors in the order of the header.</summary>
    public IReadOnlyList<GgufTensor> Tensors { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a well-formed GGUF file, or has a type that is not read; the message names
    /// the file, the place and what was expected.</exception>
    public static GgufFile Open(string path)
    {
        var stream = BoundedFile.Open(path, "a GGUF file");
        try
        {
            return new GgufFile(stream, GgufHeader.Read(stream, path));
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Whether the file holds a tensor of this name; its description if so.</summary>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out GgufTensor? tensor) => byName.TryGetValue(name, out tensor);

    /// <summary>Bytes of a tensor as stored.</summary>
    /// <exception cref="KeyNotFoundException">The file holds no tensor of this name.</exception>
    /// <exception cref="EndOfStreamException">The file was truncated after it had been opened.</exception>
    public byte[] ReadBytes(string name)
    {
        var tensor = Find(name);
        var bytes = new byte[tensor.Length];
        Fill(tensor.Offset, bytes);
        return bytes;
    }

    /// <summary>Numbers of a tensor in fresh float32 memory on the CPU, row-major; the caller owns it.</summary>
    /// <remarks>Rows of queries and keys stay in the order of the file, which for llama and mistral is not that of transformers.</remarks>
    /// <exception cref="KeyNotFoundException">The file holds no tensor of this name.</exception>
    /// <exception cref="EndOfStreamException">The file was truncated after it had been opened.</exception>
    public Tensor Read(string name)
    {
        var entry = Find(name);
        var count = entry.Shape.Aggregate(1L, (product, size) => product * size);
        var result = empty(entry.Shape.ToArray(), dtype: ScalarType.Float32);
        try
        {
            using var scope = NewDisposeScope();
            var flat = result.view(-1);
            var bytes = new byte[GgufBlocks.BytesOf(entry.Type, Math.Min(count, PieceElements))];
            for (long start = 0; start < count; start += PieceElements)
            {
                using var piece = flat.narrow(0, start, Math.Min(PieceElements, count - start));
                var part = bytes.AsSpan(0, (int)GgufBlocks.BytesOf(entry.Type, piece.NumberOfElements));
                Fill(entry.Offset + GgufBlocks.BytesOf(entry.Type, start), part);
                GgufDequantizer.Decode(entry.Type, part, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(piece.bytes));
            }

            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    private GgufTensor Find(string name) =>
        byName.TryGetValue(name, out var found)
            ? found
            : throw new KeyNotFoundException($"{Path}: there is no tensor '{name}'; the file holds {Tensors.Count} others.");

    private void Fill(long offset, Span<byte> target)
    {
        stream.Position = offset;
        try
        {
            stream.ReadExactly(target);
        }
        catch (EndOfStreamException exception)
        {
            throw new EndOfStreamException($"{Path} was truncated while it was open.", exception);
        }
    }
}
