using System.Runtime.InteropServices;

namespace PostTrain.Training.Distributed;

/// <summary>The functions of NVIDIA's libnccl that are used here, by address.</summary>
internal sealed unsafe class NcclLibrary
{
    /// <summary>The sum of ncclRedOp_t.</summary>
    internal const int Sum = 0;

    private static readonly string[] Names = ["libnccl.so.2", "libnccl.so"];

    internal delegate* unmanaged<NcclId*, int> GetUniqueId { get; init; }

    internal delegate* unmanaged<nint*, int, NcclId, int, int> CommInitRank { get; init; }

    internal delegate* unmanaged<nint, int> CommDestroy { get; init; }

    internal delegate* unmanaged<int, nint> GetErrorString { get; init; }

    internal delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> AllReduce { get; init; }

    internal delegate* unmanaged<nint, nint, nuint, int, int, int, nint, nint, int> Reduce { get; init; }

    internal delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> Broadcast { get; init; }

    internal delegate* unmanaged<nint, nint, nuint, int, nint, nint, int> AllGather { get; init; }

    /// <summary>Loads NCCL.</summary>
    /// <exception cref="DllNotFoundException">There is none; the message says what to install.</exception>
    internal static NcclLibrary Load()
    {
        foreach (var name in Names)
            if (NativeLibrary.TryLoad(name, out nint library))
                return Of(library);
        throw new DllNotFoundException(
            $"none of {string.Join(", ", Names)} loads, expected NVIDIA's NCCL: the package libnccl2 of NVIDIA's repository"
        );
    }

    /// <summary>Throws for a result other than success, with NCCL's text.</summary>
    internal void Check(int result, string call)
    {
        if (result != 0)
            throw new InvalidOperationException($"{call} returned {result}, {Marshal.PtrToStringUTF8(GetErrorString(result))}, expected 0");
    }

    private static NcclLibrary Of(nint library) =>
        new()
        {
            GetUniqueId = (delegate* unmanaged<NcclId*, int>)NativeLibrary.GetExport(library, "ncclGetUniqueId"),
            CommInitRank = (delegate* unmanaged<nint*, int, NcclId, int, int>)NativeLibrary.GetExport(library, "ncclCommInitRank"),
            CommDestroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "ncclCommDestroy"),
            GetErrorString = (delegate* unmanaged<int, nint>)NativeLibrary.GetExport(library, "ncclGetErrorString"),
            AllReduce = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)
                NativeLibrary.GetExport(library, "ncclAllReduce"),
            Reduce = (delegate* unmanaged<nint, nint, nuint, int, int, int, nint, nint, int>)NativeLibrary.GetExport(library, "ncclReduce"),
            Broadcast = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)
                NativeLibrary.GetExport(library, "ncclBroadcast"),
            AllGather = (delegate* unmanaged<nint, nint, nuint, int, nint, nint, int>)NativeLibrary.GetExport(library, "ncclAllGather"),
        };
}

/// <summary>NCCL's identifier of a group of ranks: 128 bytes that rank 0 makes and all pass.</summary>
[StructLayout(LayoutKind.Sequential, Size = Length)]
internal unsafe struct NcclId
{
    internal const int Length = 128;

    internal fixed byte Bytes[Length];
}
