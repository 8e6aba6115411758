using System.Runtime.InteropServices;

namespace PostTrain.Training.Distributed;

/// <summary>NCCL's identifier of a group of ranks: 128 bytes that rank 0 makes and all pass.</summary>
[StructLayout(LayoutKind.Sequential, Size = Length)]
internal unsafe struct NcclId
{
    internal const int Length = 128;

    internal fixed byte Bytes[Length];
}
