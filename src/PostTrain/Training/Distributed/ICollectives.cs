using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Operations that several processes, the ranks of a run, carry out together.</summary>
/// <remarks>Every rank calls the same operations in the same order, with tensors of the same shape and type. Calls come from one thread at
/// a time, not always the same one. <see cref="MpiCollectives"/> joins processes, <see cref="InProcessCollectives"/> threads of one
/// process; an implementation of your own is passed by
/// <see cref="DistributedOptions.Collectives"/>.</remarks>
public interface ICollectives
{
    /// <summary>Number of this rank, from 0.</summary>
    int Rank { get; }

    /// <summary>Number of ranks, at least 1.</summary>
    int Size { get; }

    /// <summary>Sums a tensor over all ranks, in place. Every rank gets the same bits.</summary>
    /// <param name="tensor">float32, float64 or int64.</param>
    void AllReduce(Tensor tensor);

    /// <summary>Sums a tensor over all ranks into that of one rank, in place; on the others its content is undefined afterwards.</summary>
    /// <param name="tensor">float32, float64 or int64.</param>
    /// <param name="root">Rank that gets the sum.</param>
    void Reduce(Tensor tensor, int root);

    /// <summary>Copies a tensor of one rank over those of the others.</summary>
    /// <param name="tensor">float32, float64, int64, or any type of the same bytes on all ranks.</param>
    /// <param name="root">Rank whose tensor is copied.</param>
    void Broadcast(Tensor tensor, int root);

    /// <summary>Copies the tensors of all ranks one behind the other.</summary>
    /// <param name="own">Tensor of this rank, [n].</param>
    /// <param name="all">Takes those of all ranks, [<see cref="Size"/>, n], of the same type.</param>
    void AllGather(Tensor own, Tensor all);

    /// <summary>Sends a message of any length to all ranks and returns those of all, in the order of ranks. Returns when every rank has
    /// called it.</summary>
    /// <param name="message">The message of this rank; may be empty.</param>
    /// <param name="timeout">Longest wait for the other ranks.</param>
    /// <exception cref="RankFailedException">A rank has not called in time, or has ended; the message names it.</exception>
    IReadOnlyList<byte[]> Exchange(ReadOnlySpan<byte> message, TimeSpan timeout);
}
