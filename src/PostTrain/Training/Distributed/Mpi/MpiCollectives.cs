using System.Diagnostics;
using System.Globalization;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Ranks that are processes started by Open MPI's <c>mpirun</c>, on one machine or several.</summary>
/// <remarks>
/// Tensors in CPU memory are summed where they are; others are copied to the CPU and back. libmpi is loaded when the first trainer of a
/// process that <c>mpirun</c> started is made, and never otherwise. A process that ends with an error ends all ranks; one that ends while
/// others train is named by the error of the others.
/// <para>Unless OMP_NUM_THREADS is set, the ranks of a machine share its processors: each gets the same number of threads.</para>
/// </remarks>
public sealed class MpiCollectives : ICollectives
{
    private const int ToFirst = 11,
        FromFirst = 12;
    private const byte Message = 0,
        Leaving = 1;

    // Elements of one call: MPI counts in 32 bits.
    private const long ChunkElements = 1 << 28;

    /// <summary>The launcher ends all processes when the first has ended, so the others leave rank 0 this time to say why.</summary>
    internal static readonly TimeSpan Courtesy = TimeSpan.FromSeconds(1);

    private static readonly Lazy<MpiCollectives?> World = new(Join);
    private readonly MpiLibrary library;
    private readonly object gate = new();

    // Rank that rank 0 waits for.
    private int? awaited;

    private MpiCollectives(MpiLibrary library)
    {
        this.library = library;
        (Rank, Size) = (library.Rank(), library.Size());
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <summary>The ranks that <c>mpirun</c> started this process with; null for a process of its own, or the only one.</summary>
    /// <exception cref="DllNotFoundException"><c>mpirun</c> started this process and Open MPI's library does not load.</exception>
    public static MpiCollectives? OfLauncher() => World.Value;

    /// <inheritdoc/>
    public void AllReduce(Tensor tensor) =>
        Each(tensor, (data, count, type) => library.AllReduce(data, count, type), changes: true, sums: true);

    /// <inheritdoc/>
    public void Reduce(Tensor tensor, int root) =>
        Each(tensor, (data, count, type) => library.Reduce(data, count, type, root, Rank == root), changes: Rank == root, sums: true);

    /// <inheritdoc/>
    public void Broadcast(Tensor tensor, int root) =>
        Each(tensor, (data, count, type) => library.Broadcast(data, count, type, root), changes: Rank != root, sums: false);

    /// <inheritdoc/>
    public void AllGather(Tensor own, Tensor all)
    {
        ArgumentNullException.ThrowIfNull(own);
        ArgumentNullException.ThrowIfNull(all);
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var given = own.reshape(-1);
        long length = given.NumberOfElements;
        var rows = all.view(Size, length);
        // A gather of a chunk lays out the ranks' chunks side by side.
        for (long start = 0; start < length; start += ChunkElements)
        {
            long count = Math.Min(ChunkElements, length - start);
            var part = given.narrow(0, start, count).cpu().contiguous();
            var into = empty(Size, count, dtype: part.dtype);
            var (type, size) = TypeOf(part, sums: false);
            lock (gate)
                library.AllGather(Address(part), Address(into), checked((int)(count * size)), type);
            rows.narrow(1, start, count).copy_(into);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<byte[]> Exchange(ReadOnlySpan<byte> message, TimeSpan timeout)
    {
        byte[] own = [Message, .. message];
        lock (gate)
        {
            if (Rank == 0)
                return Collect(own, timeout);
            library.Send(own, 0, ToFirst);
            // Rank 0 waits so long for the others, and then tells.
            var all = Receive(0, FromFirst, timeout + TimeSpan.FromSeconds(30)) ?? throw Rendezvous.Late(0, timeout);
            return Unpacked(all);
        }
    }

    // Rank 0 takes the messages of all ranks and sends all of them to each, or what is wrong with one.
    private byte[][] Collect(byte[] own, TimeSpan timeout)
    {
        var messages = new byte[Size][];
        messages[0] = own;
        var watch = Stopwatch.StartNew();
        RankFailedException? error = null;
        for (int missing = Size - 1; missing > 0 && error is null; )
        {
            for (int rank = 1; rank < Size; rank++)
            {
                if (messages[rank] is not null || library.Probe(rank, ToFirst) is not { } length)
                    continue;
                messages[rank] = new byte[length];
                library.Receive(messages[rank], rank, ToFirst);
                missing--;
                if (messages[rank][0] == Leaving)
                    error ??= new RankFailedException(rank, "its program has ended while others still train");
            }
            if (missing > 0 && error is null && watch.Elapsed > timeout)
                error = Rendezvous.Late(Array.FindIndex(messages, message => message is null), timeout);
            awaited = missing > 0 ? Array.FindIndex(messages, message => message is null) : null;
            if (missing > 0 && error is null)
                Pause(watch.Elapsed);
        }
        byte[] all = error is null ? Packed(messages) : Packed(error);
        for (int rank = 1; rank < Size; rank++)
            if (messages[rank] is { } answer && answer[0] == Message)
                library.Send(all, rank, FromFirst);
        return error is null ? Unpacked(all) : throw error;
    }

    private byte[]? Receive(int source, int tag, TimeSpan timeout)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < timeout)
        {
            if (library.Probe(source, tag) is { } length)
            {
                var message = new byte[length];
                library.Receive(message, source, tag);
                return message;
            }
            Pause(watch.Elapsed);
        }
        return null;
    }

    // Others of this machine may need the processor: yield at first, then sleep.
    private static void Pause(TimeSpan waited)
    {
        if (waited < TimeSpan.FromMilliseconds(20))
            Thread.Yield();
        else
            Thread.Sleep(1);
    }

    private static byte[] Packed(byte[][] messages)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(-1);
        foreach (var message in messages)
        {
            writer.Write(message.Length - 1);
            writer.Write(message.AsSpan(1));
        }
        writer.Flush();
        return stream.ToArray();
    }

    private static byte[] Packed(RankFailedException error)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(error.Rank);
        writer.Write(error.Cause);
        writer.Flush();
        return stream.ToArray();
    }

    private byte[][] Unpacked(byte[] all)
    {
        using var reader = Ranks.Reader(all);
        if (reader.ReadInt32() is >= 0 and var failed)
        {
            if (Rank != 0)
                Thread.Sleep(Courtesy);
            throw new RankFailedException(failed, reader.ReadString());
        }
        return [.. Enumerable.Range(0, Size).Select(_ => reader.ReadBytes(reader.ReadInt32()))];
    }

    private void Each(Tensor tensor, Action<nint, int, nint> call, bool changes, bool sums)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var data = tensor.detach().cpu().contiguous();
        var (type, size) = TypeOf(data, sums);
        long length = data.NumberOfElements,
            bytes = data.ElementSize;
        nint address = Address(data);
        for (long start = 0; start < length; start += ChunkElements)
        {
            int count = checked((int)(Math.Min(ChunkElements, length - start) * size));
            lock (gate)
                call(address + (nint)(start * bytes), count, type);
        }
        if (changes && (tensor.device_type != DeviceType.CPU || !tensor.is_contiguous()))
            tensor.copy_(data);
        GC.KeepAlive(data);
    }

    // MPI's type, and how many of it an element has.
    private (nint Type, int Size) TypeOf(Tensor tensor, bool sums) =>
        tensor.dtype switch
        {
            ScalarType.Float32 => (library.Float, 1),
            ScalarType.Float64 => (library.Double, 1),
            ScalarType.Int64 => (library.Long, 1),
            _ when !sums => (library.Byte, (int)tensor.ElementSize),
            var other => throw new ArgumentException($"tensor is {other}, expected Float32, Float64 or Int64", nameof(tensor)),
        };

    private static unsafe nint Address(Tensor tensor) => (nint)TensorMemory.Address<byte>(tensor);

    private static MpiCollectives? Join()
    {
        // Set by mpirun for each process that it starts.
        if (Number("OMPI_COMM_WORLD_SIZE") is not > 1)
            return null;
        var library = MpiLibrary.Load();
        if (library.Init() < MpiLibrary.Serialized)
            throw new InvalidOperationException("this Open MPI was built without threads, expected MPI_THREAD_SERIALIZED");
        var world = new MpiCollectives(library);
        if (Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is null && Number("OMPI_COMM_WORLD_LOCAL_SIZE") is > 1 and var local)
            set_num_threads(Math.Max(1, Environment.ProcessorCount / local));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => world.Leave();
        return world;
    }

    private static int? Number(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            ? value
            : null;

    // The end of the process. Those who still train are told; the others end with it.
    private void Leave()
    {
        // A held gate is another thread within a collective: the process is being ended.
        if (Environment.ExitCode != 0 || !Monitor.TryEnter(gate))
        {
            if (awaited is { } rank)
                Console.Error.WriteLine(
                    $"rank {rank} had not answered when this run of {Size} ranks was ended; mpirun says which process ended first"
                );
            library.Abort(Environment.ExitCode == 0 ? 1 : Environment.ExitCode);
            return;
        }
        try
        {
            if (Rank != 0)
            {
                library.Send([Leaving], 0, ToFirst);
            }
            else
            {
                var gone = Packed(new RankFailedException(0, "its program has ended while others still train"));
                for (int rank = 1; rank < Size; rank++)
                    while (Receive(rank, ToFirst, TimeSpan.FromDays(1)) is { } message && message[0] == Message)
                        library.Send(gone, rank, FromFirst);
            }
            library.End();
        }
        finally
        {
            Monitor.Exit(gate);
        }
    }
}
