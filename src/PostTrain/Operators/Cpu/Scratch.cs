using System.Runtime.InteropServices;

namespace PostTrain.Operators;

/// <summary>Memory for one part of a kernel, at addresses that fit vectors, kept by the thread for the next part.</summary>
internal static unsafe class Scratch
{
    private const nuint Alignment = 64;

    // More than this is given back at once.
    private const nuint LargestKept = 4 << 20;

    [ThreadStatic]
    private static Block? Kept;

    /// <summary>Memory without initial values; <see cref="Memory.Dispose"/> ends its use.</summary>
    internal static Memory Take(nuint bytes)
    {
        if (bytes > LargestKept)
            return new Memory(new Block(bytes), false);
        Kept ??= new Block(LargestKept);
        return new Memory(Kept, true);
    }

    /// <summary>Memory that one part has; parts of one thread do not nest.</summary>
    internal readonly ref struct Memory(Block block, bool isKept)
    {
        private readonly Block block = block;
        private readonly bool isKept = isKept;

        internal void* Address => block.Address;

        public void Dispose()
        {
            if (!isKept)
                block.Dispose();
            GC.KeepAlive(block);
        }
    }

    /// <summary>Native memory; a thread that ends leaves it to the finalizer.</summary>
    internal sealed class Block(nuint bytes) : IDisposable
    {
        internal void* Address { get; private set; } = NativeMemory.AlignedAlloc(bytes, Alignment);

        ~Block() => Release();

        public void Dispose()
        {
            Release();
            GC.SuppressFinalize(this);
        }

        private void Release()
        {
            NativeMemory.AlignedFree(Address);
            Address = null;
        }
    }
}
