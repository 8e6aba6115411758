using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Ranks with a GPU each: tensors on GPUs go through NVIDIA's NCCL, all else through another implementation.</summary>
/// <remarks>
/// Each rank sees one GPU: the program that starts it sets CUDA_VISIBLE_DEVICES (docs/distributed.md). NCCL's calls are queued on the
/// default stream, behind the kernels that make their tensors. Never run on GPUs: its calls are tested against a library of the tests.
/// </remarks>
public sealed unsafe class NcclCollectives : ICollectives, IDisposable
{
    private readonly ICollectives others;
    private readonly NcclLibrary library;
    private readonly Func<Tensor, bool> takes;
    private nint communicator;

    /// <summary>Joins the ranks. All call it at the same time.</summary>
    /// <param name="others">The same ranks over CPU memory, such as <see cref="MpiCollectives"/>: exchanges messages, and the tensors
    /// that are not on a GPU.</param>
    /// <exception cref="DllNotFoundException">NCCL is not installed.</exception>
    /// <exception cref="InvalidOperationException">NCCL cannot join the ranks; the message has its reason.</exception>
    public NcclCollectives(ICollectives others)
        : this(others, NcclLibrary.Load(), tensor => tensor.device_type == DeviceType.CUDA) { }

    internal NcclCollectives(ICollectives others, NcclLibrary library, Func<Tensor, bool> takes)
    {
        ArgumentNullException.ThrowIfNull(others);
        (this.others, this.library, this.takes) = (others, library, takes);
        NcclId id;
        if (Rank == 0)
            library.Check(library.GetUniqueId(&id), "ncclGetUniqueId");
        var bytes = others.Exchange(new ReadOnlySpan<byte>(&id, NcclId.Length), TimeSpan.FromMinutes(10))[0];
        bytes.CopyTo(new Span<byte>(&id, NcclId.Length));
        nint made;
        library.Check(library.CommInitRank(&made, Size, id, Rank), "ncclCommInitRank");
        communicator = made;
    }

    /// <inheritdoc/>
    public int Rank => others.Rank;

    /// <inheritdoc/>
    public int Size => others.Size;

    /// <inheritdoc/>
    public void AllReduce(Tensor tensor)
    {
        if (!Takes(tensor))
            others.AllReduce(tensor);
        else
            InPlace(
                tensor,
                (data, count, type) => library.AllReduce(data, data, count, type, NcclLibrary.Sum, communicator, 0),
                "ncclAllReduce"
            );
    }

    /// <inheritdoc/>
    public void Reduce(Tensor tensor, int root)
    {
        if (!Takes(tensor))
            others.Reduce(tensor, root);
        else
            InPlace(
                tensor,
                (data, count, type) => library.Reduce(data, data, count, type, NcclLibrary.Sum, root, communicator, 0),
                "ncclReduce"
            );
    }

    /// <inheritdoc/>
    public void Broadcast(Tensor tensor, int root)
    {
        if (!Takes(tensor))
            others.Broadcast(tensor, root);
        else
            InPlace(tensor, (data, count, type) => library.Broadcast(data, data, count, type, root, communicator, 0), "ncclBroadcast");
    }

    /// <inheritdoc/>
    public void AllGather(Tensor own, Tensor all)
    {
        ArgumentNullException.ThrowIfNull(all);
        if (!Takes(own))
        {
            others.AllGather(own, all);
            return;
        }
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var given = own.detach().contiguous();
        InPlace(
            all,
            (data, _, type) => library.AllGather(TensorFacts.Address(given), data, (nuint)given.NumberOfElements, type, communicator, 0),
            "ncclAllGather"
        );
    }

    /// <inheritdoc/>
    public IReadOnlyList<byte[]> Exchange(ReadOnlySpan<byte> message, TimeSpan timeout) => others.Exchange(message, timeout);

    /// <summary>Leaves the group.</summary>
    public void Dispose()
    {
        if (communicator == 0)
            return;
        library.Check(library.CommDestroy(communicator), "ncclCommDestroy");
        communicator = 0;
    }

    private bool Takes(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ObjectDisposedException.ThrowIf(communicator == 0, this);
        return takes(tensor);
    }

    private void InPlace(Tensor tensor, Func<nint, nuint, int, int> call, string name)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var data = tensor.detach().contiguous();
        library.Check(call(TensorFacts.Address(data), (nuint)data.NumberOfElements, TypeOf(data)), name);
        if (!tensor.is_contiguous())
            tensor.copy_(data);
    }

    // ncclDataType_t.
    private static int TypeOf(Tensor tensor) =>
        tensor.dtype switch
        {
            ScalarType.Int64 => 4,
            ScalarType.Float16 => 6,
            ScalarType.Float32 => 7,
            ScalarType.Float64 => 8,
            ScalarType.BFloat16 => 9,
            var other => throw new ArgumentException(
                $"tensor is {other}, expected Int64, Float16, BFloat16, Float32 or Float64",
                nameof(tensor)
            ),
        };
}
