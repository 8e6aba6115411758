using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Addresses of several tensors of one type, and the parts into which a kernel over all of them is cut.</summary>
internal sealed unsafe class MemoryList : IDisposable
{
    private readonly nint[] addresses;
    private readonly long[] lengths;
    private readonly Tensor?[] copies;
    private readonly IReadOnlyList<Tensor> owners;

    /// <param name="tensors">All tensors.</param>
    /// <param name="chosen">The selection.</param>
    /// <param name="type">Their type; others are copied to it.</param>
    /// <param name="changed">Name of the argument where the kernel writes, so that no copy will do; null where it only reads.</param>
    internal MemoryList(IReadOnlyList<Tensor> tensors, int[] chosen, ScalarType type, string? changed)
    {
        owners = tensors;
        (addresses, lengths, copies) = (new nint[chosen.Length], new long[chosen.Length], new Tensor?[chosen.Length]);
        for (int i = 0; i < chosen.Length; i++)
        {
            var tensor = tensors[chosen[i]];
            if (TensorFacts.Type(tensor) != type || !TensorFacts.IsContiguous(tensor))
            {
                if (changed is not null && tensor.dtype != type)
                    throw new ArgumentException(
                        $"{changed}[{chosen[i]}] has type {tensor.dtype}, expected {type} as the parameter",
                        changed
                    );
                if (changed is not null)
                    throw new NotSupportedException(
                        $"{changed}[{chosen[i]}] is not contiguous, expected memory in row-major order: it is changed in place"
                    );
                tensor = copies[i] = TensorMemory.Copy(tensor, type);
            }
            addresses[i] = (nint)TensorMemory.Address<byte>(tensor);
            lengths[i] = TensorFacts.Count(tensor);
        }
    }

    internal T* At<T>(int index)
        where T : unmanaged => (T*)addresses[index];

    internal long Parts(int partLength) => lengths.Sum(length => (length + partLength - 1) / partLength);

    /// <summary>Calls <paramref name="part"/> with tensor, start and length of each part.</summary>
    internal void Run(int partLength, Action<int, long, int> part) =>
        Run(partLength, (index, start, length, _) => part(index, start, length));

    /// <summary>Overload that passes the number of the part.</summary>
    internal void Run(int partLength, Action<int, long, int, long> part)
    {
        var parts = new (int Index, long Start, int Length)[Parts(partLength)];
        long next = 0;
        for (int i = 0; i < lengths.Length; i++)
        for (long start = 0; start < lengths[i]; start += partLength)
            parts[next++] = (i, start, (int)Math.Min(partLength, lengths[i] - start));
        Workers.Run(parts.Length, lengths.Sum(), i => part(parts[i].Index, parts[i].Start, parts[i].Length, i));
    }

    public void Dispose()
    {
        foreach (var copy in copies)
            copy?.Dispose();
        GC.KeepAlive(owners);
    }
}
