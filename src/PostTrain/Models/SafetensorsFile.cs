using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// An open safetensors file. The header is read and checked at once; a tensor's bytes are read straight into its memory when it is asked for,
/// so that loading needs no second copy of the weights.
/// </summary>
/// <remarks>Format: https://huggingface.co/docs/safetensors. Types F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL.
/// A file with overlapping tensors, gaps or bytes after the last tensor is refused. Not thread-safe.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    // A span's length is an int, so that a big tensor is read in pieces of this many elements.
    private const long PieceElements = 1L << 27;

    private readonly FileStream stream;
    private readonly Dictionary<string, SafetensorsEntry> byName;

    private SafetensorsFile(FileStream stream, SafetensorsHeader header, string path)
    {
        this.stream = stream;
        Path = path;
        Entries = header.Entries;
        Metadata = header.Metadata;
        byName = header.Entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>The path that was opened.</summary>
    public string Path { get; }

    /// <summary>The tensors in the order of the header.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The header's <c>__metadata__</c>; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a well-formed safetensors file; the message names the file and the reason.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            return new SafetensorsFile(stream, SafetensorsHeader.Read(stream, path), path);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Writes a file atomically: beside the target, flushed, then renamed. Header and data are aligned to 8 bytes.</summary>
    /// <param name="path">The file to write or to replace.</param>
    /// <param name="tensors">Names and tensors, on any device, contiguous or not; none is disposed.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, or null for none.</param>
    /// <exception cref="ArgumentException">A name occurs twice or is <c>__metadata__</c>, or a tensor's type does not exist in the format.</exception>
    public static void Write(string path, IEnumerable<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(tensors);
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    /// <summary>Whether the file holds a tensor of this name; its description if so.</summary>
    public bool TryGetEntry(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SafetensorsEntry? entry) =>
        byName.TryGetValue(name, out entry);

    /// <summary>Reads one tensor into fresh memory on the CPU; the caller owns it.</summary>
    /// <exception cref="KeyNotFoundException">The file holds no tensor of this name.</exception>
    /// <exception cref="EndOfStreamException">The file was truncated after it had been opened.</exception>
    public Tensor Read(string name)
    {
        if (!byName.TryGetValue(name, out var entry))
            throw new KeyNotFoundException($"{Path}: there is no tensor '{name}'; the file holds {Entries.Count} others.");
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        // Any byte but 0 and 1 in a bool tensor would be undefined behaviour: read numbers, then compare.
        var isBool = entry.Type == ScalarType.Bool;
        var tensor = empty(entry.Shape.ToArray(), dtype: isBool ? ScalarType.Byte : entry.Type);
        stream.Position = entry.Offset;
        var flat = tensor.reshape(-1);
        var count = flat.NumberOfElements;
        for (long start = 0; start < count; start += PieceElements)
        {
            using var piece = flat.narrow(0, start, Math.Min(PieceElements, count - start));
            stream.ReadExactly(piece.bytes);
        }

        return (isBool ? tensor.to_type(ScalarType.Bool) : tensor).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();
}
