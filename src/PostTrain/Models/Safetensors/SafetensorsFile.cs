using System.IO.MemoryMappedFiles;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>An open safetensors file. The header is read and validated at once. A tensor's bytes are copied from the mapped file directly
/// into their destination and converted on the way if the types differ, so that loading needs no second copy of the weights.</summary>
/// <remarks>Format: https://huggingface.co/docs/safetensors. Types F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL.
/// A file with overlapping tensors, gaps or bytes after the last tensor is rejected. Only a few megabytes are mapped at a time, so few
/// pages of the file count as this process's memory. Do not shorten a file while a tensor is read from it. Not thread-safe.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    /// <summary>Number of bytes mapped, and converted, at a time.</summary>
    internal const long PieceBytes = 1 << 20;

    // One buffer for all conversions: glibc up to 2.37 does not reuse the gaps left by aligned blocks of one size.
    private Tensor? buffer;
    private readonly FileStream stream;
    private readonly MemoryMappedFile map;
    private readonly Dictionary<string, SafetensorsEntry> byName;

    private SafetensorsFile(FileStream stream, SafetensorsHeader header, string path)
    {
        this.stream = stream;
        Path = path;
        Entries = header.Entries;
        Metadata = header.Metadata;
        byName = header.Entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
        map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
    }

    /// <summary>The path of the open file.</summary>
    public string Path { get; }

    /// <summary>The tensors in the order of the header.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The header's <c>__metadata__</c>; empty if there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and validates its header.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a well-formed safetensors file; the message names the file and the
    /// reason.</exception>
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
    /// <exception cref="ArgumentException">A name occurs twice or is <c>__metadata__</c>, or the format lacks a tensor's type.</exception>
    public static void Write(
        string path,
        IEnumerable<(string Name, Tensor Tensor)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null
    )
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(tensors);
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    /// <summary>Returns true, and the description, if the file has a tensor of this name.</summary>
    public bool TryGetEntry(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SafetensorsEntry? entry) =>
        byName.TryGetValue(name, out entry);

    /// <summary>Reads a tensor into new memory on the CPU; the caller owns it.</summary>
    /// <exception cref="KeyNotFoundException">The file has no tensor of this name.</exception>
    /// <exception cref="EndOfStreamException">The file was truncated after it was opened.</exception>
    public Tensor Read(string name)
    {
        var entry = Entry(name);
        var tensor = empty(entry.Shape.ToArray(), dtype: entry.Type);
        try
        {
            ReadInto(name, tensor);
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor into existing memory, converting to its type.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="destination">A tensor of the same shape, of any type, strides and device. No gradient is recorded.</param>
    /// <exception cref="KeyNotFoundException">The file has no tensor of this name.</exception>
    /// <exception cref="ArgumentException">The destination has another shape.</exception>
    /// <exception cref="EndOfStreamException">The file was truncated after it was opened.</exception>
    public void ReadInto(string name, Tensor destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var entry = Entry(name);
        if (!entry.Shape.SequenceEqual(destination.shape))
            throw new ArgumentException(
                $"destination has the shape [{string.Join(",", destination.shape)}], expected [{string.Join(",", entry.Shape)}] as "
                    + $"tensor '{name}' of {Path}.",
                nameof(destination)
            );
        if (entry.Length == 0)
            return;
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        // Contiguous memory is one row of elements; in other memory a row is selected by the first index.
        var rows = destination.is_contiguous() ? destination.reshape(-1) : destination;
        var rowBytes = entry.Length / rows.size(0);
        if (rowBytes > PieceBytes)
        {
            destination.copy_(Read(name));
            return;
        }

        var straight =
            rows.dim() == 1
            && rows.is_contiguous()
            && rows.dtype == entry.Type
            && rows.device.type == DeviceType.CPU
            && entry.Type != ScalarType.Bool;
        var step = PieceBytes / rowBytes;
        for (long start = 0; start < rows.size(0); start += step)
        {
            using var pieceScope = NewDisposeScope();
            var piece = rows.narrow(0, start, Math.Min(step, rows.size(0) - start));
            // Any byte other than 0 and 1 in a bool tensor would be undefined behaviour: read numbers, then compare.
            if (straight)
            {
                Copy(entry.Offset + start * rowBytes, piece.bytes);
                continue;
            }
            var read = Buffer(entry.Type == ScalarType.Bool ? ScalarType.Byte : entry.Type).narrow(0, 0, piece.numel()).view(piece.shape);
            Copy(entry.Offset + start * rowBytes, read.bytes);
            piece.copy_(entry.Type == ScalarType.Bool ? read.ne(0) : read);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        buffer?.Dispose();
        map.Dispose();
        stream.Dispose();
    }

    private Tensor Buffer(ScalarType type)
    {
        if (buffer?.dtype == type)
            return buffer;
        buffer?.Dispose();
        using var bytes = empty(1, dtype: type);
        buffer = empty(PieceBytes / bytes.element_size(), dtype: type);
        return buffer.DetachFromDisposeScope();
    }

    private SafetensorsEntry Entry(string name) =>
        byName.TryGetValue(name, out var entry)
            ? entry
            : throw new KeyNotFoundException($"{Path}: there is no tensor '{name}'; the file holds {Entries.Count} others.");

    private void Copy(long offset, Span<byte> target)
    {
        // Reading a mapped page past the end of a file ends the process: the length is checked before each piece.
        if (RandomAccess.GetLength(stream.SafeFileHandle) < offset + target.Length)
            throw new EndOfStreamException($"{Path} was truncated while it was open.");
        using var view = map.CreateViewAccessor(offset, target.Length, MemoryMappedFileAccess.Read);
        view.SafeMemoryMappedViewHandle.ReadSpan((ulong)view.PointerOffset, target);
    }
}
