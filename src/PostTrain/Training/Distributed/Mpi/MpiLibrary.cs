using System.Runtime.InteropServices;

namespace PostTrain.Training.Distributed;

/// <summary>The functions of Open MPI's libmpi that are used here, with its predefined handles, which are addresses of its
/// symbols.</summary>
internal sealed unsafe class MpiLibrary
{
    /// <summary>Calls may come from any thread, one at a time.</summary>
    internal const int Serialized = 2;

    /// <summary>A send buffer that stands for the receive buffer.</summary>
    internal const nint InPlace = 1;

    // As in mpi.h of Open MPI.
    private static readonly string[] Names = ["libmpi.so.40", "libmpi.so.80", "libmpi.so", "libmpi.dylib"];

    private readonly nint library;

    private MpiLibrary(nint library)
    {
        this.library = library;
        World = Symbol("ompi_mpi_comm_world");
        Byte = Symbol("ompi_mpi_byte");
        Float = Symbol("ompi_mpi_float");
        Double = Symbol("ompi_mpi_double");
        Long = Symbol("ompi_mpi_int64_t");
        Sum = Symbol("ompi_mpi_op_sum");
    }

    internal nint World { get; }

    internal nint Byte { get; }

    internal nint Float { get; }

    internal nint Double { get; }

    internal nint Long { get; }

    internal nint Sum { get; }

    /// <summary>Loads Open MPI.</summary>
    /// <exception cref="DllNotFoundException">There is none, or it is another MPI; the message says what to install.</exception>
    internal static MpiLibrary Load()
    {
        foreach (var name in Names)
            if (NativeLibrary.TryLoad(name, out nint library))
            {
                if (!NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out _))
                    throw new DllNotFoundException($"{name} is no Open MPI, expected Open MPI 4 or later: its handles are read by name");
                return new MpiLibrary(library);
            }
        throw new DllNotFoundException(
            $"none of {string.Join(", ", Names)} loads, expected Open MPI: on Debian and Ubuntu the package libopenmpi3 or libopenmpi-dev"
        );
    }

    internal int Init()
    {
        int provided;
        Check(((delegate* unmanaged<nint, nint, int, int*, int>)Symbol("MPI_Init_thread"))(0, 0, Serialized, &provided), "MPI_Init_thread");
        return provided;
    }

    internal int Rank()
    {
        int rank;
        Check(((delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_rank"))(World, &rank), "MPI_Comm_rank");
        return rank;
    }

    internal int Size()
    {
        int size;
        Check(((delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_size"))(World, &size), "MPI_Comm_size");
        return size;
    }

    internal void End() => Check(((delegate* unmanaged<int>)Symbol("MPI_Finalize"))(), "MPI_Finalize");

    internal void Abort(int code) => ((delegate* unmanaged<nint, int, int>)Symbol("MPI_Abort"))(World, code);

    internal void AllReduce(nint data, int count, nint type) =>
        Check(
            ((delegate* unmanaged<nint, nint, int, nint, nint, nint, int>)Symbol("MPI_Allreduce"))(InPlace, data, count, type, Sum, World),
            "MPI_Allreduce"
        );

    internal void Reduce(nint data, int count, nint type, int root, bool isRoot) =>
        Check(
            ((delegate* unmanaged<nint, nint, int, nint, nint, int, nint, int>)Symbol("MPI_Reduce"))(
                isRoot ? InPlace : data,
                data,
                count,
                type,
                Sum,
                root,
                World
            ),
            "MPI_Reduce"
        );

    internal void Broadcast(nint data, int count, nint type, int root) =>
        Check(((delegate* unmanaged<nint, int, nint, int, nint, int>)Symbol("MPI_Bcast"))(data, count, type, root, World), "MPI_Bcast");

    internal void AllGather(nint own, nint all, int count, nint type) =>
        Check(
            ((delegate* unmanaged<nint, int, nint, nint, int, nint, nint, int>)Symbol("MPI_Allgather"))(
                own,
                count,
                type,
                all,
                count,
                type,
                World
            ),
            "MPI_Allgather"
        );

    /// <summary>Bytes of a message that has come from a rank; null if none has.</summary>
    internal int? Probe(int source, int tag)
    {
        int flag,
            count;
        // Open MPI's MPI_Status has 24 bytes.
        var status = stackalloc byte[64];
        Check(
            ((delegate* unmanaged<int, int, nint, int*, byte*, int>)Symbol("MPI_Iprobe"))(source, tag, World, &flag, status),
            "MPI_Iprobe"
        );
        if (flag == 0)
            return null;
        Check(((delegate* unmanaged<byte*, nint, int*, int>)Symbol("MPI_Get_count"))(status, Byte, &count), "MPI_Get_count");
        return count;
    }

    internal void Receive(byte[] into, int source, int tag)
    {
        fixed (byte* data = into)
            Check(
                ((delegate* unmanaged<byte*, int, nint, int, int, nint, nint, int>)Symbol("MPI_Recv"))(
                    data,
                    into.Length,
                    Byte,
                    source,
                    tag,
                    World,
                    0
                ),
                "MPI_Recv"
            );
    }

    internal void Send(ReadOnlySpan<byte> message, int target, int tag)
    {
        fixed (byte* data = message)
            Check(
                ((delegate* unmanaged<byte*, int, nint, int, int, nint, int>)Symbol("MPI_Send"))(
                    data,
                    message.Length,
                    Byte,
                    target,
                    tag,
                    World
                ),
                "MPI_Send"
            );
    }

    private nint Symbol(string name) => NativeLibrary.GetExport(library, name);

    private static void Check(int code, string call)
    {
        if (code != 0)
            throw new InvalidOperationException($"{call} returned the error {code}, expected 0");
    }
}
