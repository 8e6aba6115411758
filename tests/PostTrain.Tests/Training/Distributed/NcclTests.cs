using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PostTrain.Tests.Support;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>The calls of NCCL, on a library of this test that works on CPU memory: arguments, types, in which order they
/// stand.</summary>
[Collection("Sequential")]
public sealed class NcclTests
{
    private static readonly Rendezvous Group = new(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static int Destroyed;

    private static unsafe NcclLibrary Fake =>
        new()
        {
            GetUniqueId = &GetUniqueId,
            CommInitRank = &CommInitRank,
            CommDestroy = &CommDestroy,
            GetErrorString = &GetErrorString,
            AllReduce = &AllReduce,
            Reduce = &Reduce,
            Broadcast = &Broadcast,
            AllGather = &AllGather,
        };

    [Fact]
    public async Task Collectives_DoWhatTheirNamesSay()
    {
        Destroyed = 0;
        await InProcessCollectives.RunAsync(
            2,
            own =>
            {
                using var scope = NewDisposeScope();
                using var nccl = new NcclCollectives(own, Fake, tensor => tensor.dtype != ScalarType.Int64);
                Assert.Equal((own.Rank, 2), (nccl.Rank, nccl.Size));
                double mine = own.Rank + 1;
                var sum = tensor(new[] { mine, 10 * mine });
                nccl.AllReduce(sum);
                Assert.Equal([3.0, 30], Numbers.Values(sum));
                // A view in columns is not laid out in rows.
                var columns = tensor(
                        new[,]
                        {
                            { mine, 2 * mine },
                            { 3 * mine, 4 * mine },
                        }
                    )
                    .t();
                nccl.AllReduce(columns);
                Assert.Equal([3.0, 9, 6, 12], Numbers.Values(columns));
                var root = tensor(new[] { mine });
                nccl.Reduce(root, 1);
                if (own.Rank == 1)
                    Assert.Equal([3.0], Numbers.Values(root));
                var copied = tensor(new[] { mine });
                nccl.Broadcast(copied, 1);
                Assert.Equal([2.0], Numbers.Values(copied));
                var all = zeros(2, 2, dtype: ScalarType.Float64);
                nccl.AllGather(tensor(new[] { mine, -mine }), all);
                Assert.Equal([1.0, -1, 2, -2], Numbers.Values(all));
                // Not its kind: the other implementation's.
                var counts = tensor(new[] { 1L });
                nccl.AllReduce(counts);
                Assert.Equal(2, counts.ToInt64());
                Assert.Equal(2, nccl.Exchange([7], Patience).Count);
                return Task.CompletedTask;
            }
        );
        Assert.Equal(2, Destroyed);
    }

    [Fact]
    public async Task WhatNcclRefuses_IsAnError_WithItsText() =>
        await InProcessCollectives.RunAsync(
            1,
            own =>
            {
                var error = Assert.Throws<InvalidOperationException>(() => new NcclCollectives(own, Fake, _ => true));
                Assert.Equal("ncclCommInitRank returned 5, invalid usage, expected 0", error.Message);
                return Task.CompletedTask;
            }
        );

    [WithoutNcclFact]
    public void WithoutNccl_TheErrorNamesThePackage()
    {
        var error = Assert.Throws<DllNotFoundException>(NcclLibrary.Load);
        Assert.Contains("libnccl2", error.Message, StringComparison.Ordinal);
    }

    [UnmanagedCallersOnly]
    private static unsafe int GetUniqueId(NcclId* id)
    {
        for (int i = 0; i < NcclId.Length; i++)
            id->Bytes[i] = (byte)(i + 1);
        return 0;
    }

    // Refuses a group of one, and an identifier that did not come whole. The communicator is the rank and one.
    [UnmanagedCallersOnly]
    private static unsafe int CommInitRank(nint* communicator, int ranks, NcclId id, int rank)
    {
        if (ranks != 2 || id.Bytes[0] != 1 || id.Bytes[NcclId.Length - 1] != NcclId.Length)
            return 5;
        *communicator = rank + 1;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int CommDestroy(nint communicator)
    {
        Interlocked.Increment(ref Destroyed);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static unsafe nint GetErrorString(int result) => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference("invalid usage\0"u8));

    [UnmanagedCallersOnly]
    private static unsafe int AllReduce(nint send, nint receive, nuint count, int type, int operation, nint communicator, nint stream) =>
        Sum(send, receive, count, (type, operation, stream), communicator, isRoot: true);

    [UnmanagedCallersOnly]
    private static unsafe int Reduce(
        nint send,
        nint receive,
        nuint count,
        int type,
        int operation,
        int root,
        nint communicator,
        nint stream
    ) => Sum(send, receive, count, (type, operation, stream), communicator, communicator == root + 1);

    [UnmanagedCallersOnly]
    private static unsafe int Broadcast(nint send, nint receive, nuint count, int type, int root, nint communicator, nint stream)
    {
        var all = Met(send, count, (type, 0, stream), communicator);
        all[root].CopyTo(new Span<double>((void*)receive, (int)count));
        return 0;
    }

    [UnmanagedCallersOnly]
    private static unsafe int AllGather(nint send, nint receive, nuint count, int type, nint communicator, nint stream)
    {
        var all = Met(send, count, (type, 0, stream), communicator);
        for (int rank = 0; rank < all.Length; rank++)
            all[rank].CopyTo(new Span<double>((void*)receive, 2 * (int)count)[(rank * (int)count)..]);
        return 0;
    }

    private static unsafe int Sum(nint send, nint receive, nuint count, (int, int, nint) kind, nint communicator, bool isRoot)
    {
        var all = Met(send, count, kind, communicator);
        if (isRoot)
            for (int i = 0; i < (int)count; i++)
                ((double*)receive)[i] = all.Sum(values => values[i]);
        return 0;
    }

    // What both ranks sent. ncclFloat64 is 8, ncclSum 0, the default stream 0.
    private static unsafe double[][] Met(nint send, nuint count, (int Type, int Operation, nint Stream) kind, nint communicator)
    {
        if (kind != (8, 0, 0))
            throw new InvalidOperationException($"type, operation and stream are {kind}, expected 8, 0, 0");
        double[] own = new ReadOnlySpan<double>((void*)send, (int)count).ToArray();
        return [.. Group.Meet((int)communicator - 1, own, Patience).Cast<double[]>()];
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WithoutNcclFactAttribute : FactAttribute
    {
        public WithoutNcclFactAttribute()
        {
            if (NativeLibrary.TryLoad("libnccl.so.2", out _))
                Skip = "This test is about machines without NCCL, and libnccl.so.2 can be loaded here.";
        }
    }
}
