using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Ranks that are threads of one process, for tests of a program with several ranks where no MPI is installed.</summary>
/// <remarks>Sums are taken in the order of ranks. Ranks share libtorch's generator, so dropout is not reproducible here. The ranks compete
/// for the same processor: nothing becomes faster.</remarks>
public sealed class InProcessCollectives : ICollectives
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly AsyncLocal<ICollectives?> Ambient = new();
    private readonly Rendezvous group;

    private InProcessCollectives(int rank, int size, Rendezvous group) => (Rank, Size, this.group) = (rank, size, group);

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <summary>The ranks that this code runs as one of; null outside <see cref="RunAsync"/>.</summary>
    internal static ICollectives? Current => Ambient.Value;

    /// <summary>Runs a program as several ranks, each on a thread. Trainers made in it find their rank by themselves.</summary>
    /// <param name="size">Number of ranks, at least 1.</param>
    /// <param name="program">The program of a rank, with the rank's collectives.</param>
    /// <returns>Ends when all ranks have ended.</returns>
    /// <exception cref="Exception">What the rank that failed first has thrown; those that failed for want of it follow from it.</exception>
    public static async Task RunAsync(int size, Func<ICollectives, Task> program)
    {
        Guard.AtLeast(size, 1, nameof(size));
        ArgumentNullException.ThrowIfNull(program);
        var group = new Rendezvous(size);
        var ranks = Enumerable
            .Range(0, size)
            .Select(rank =>
                Task.Factory.StartNew(
                        () => RunRankAsync(new InProcessCollectives(rank, size, group), program),
                        CancellationToken.None,
                        TaskCreationOptions.LongRunning,
                        TaskScheduler.Default
                    )
                    .Unwrap()
            )
            .ToArray();
        try
        {
            await Task.WhenAll(ranks).ConfigureAwait(false);
        }
        catch
        {
            // An error of a rank's own says more than another rank's that it was missed.
            var errors = ranks.Select(rank => rank.Exception?.InnerException).OfType<Exception>().ToArray();
            var first = errors.FirstOrDefault(error => error is not RankFailedException) ?? errors[0];
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <inheritdoc/>
    public void AllReduce(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var sum = Sum(group.Meet(Rank, tensor, Patience));
        // Nobody changes a tensor that another still reads.
        group.Meet(Rank, null, Patience);
        tensor.copy_(sum);
    }

    /// <inheritdoc/>
    public void Reduce(Tensor tensor, int root)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var all = group.Meet(Rank, tensor, Patience);
        var sum = Rank == root ? Sum(all) : null;
        group.Meet(Rank, null, Patience);
        if (sum is not null)
            tensor.copy_(sum);
    }

    /// <inheritdoc/>
    public void Broadcast(Tensor tensor, int root)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var mode = no_grad();
        var all = group.Meet(Rank, tensor, Patience);
        if (Rank != root)
            tensor.copy_((Tensor)all[root]!);
        group.Meet(Rank, null, Patience);
    }

    /// <inheritdoc/>
    public void AllGather(Tensor own, Tensor all)
    {
        ArgumentNullException.ThrowIfNull(own);
        ArgumentNullException.ThrowIfNull(all);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var tensors = group.Meet(Rank, own, Patience);
        for (int rank = 0; rank < Size; rank++)
            all.select(0, rank).copy_((Tensor)tensors[rank]!);
        group.Meet(Rank, null, Patience);
    }

    /// <inheritdoc/>
    public IReadOnlyList<byte[]> Exchange(ReadOnlySpan<byte> message, TimeSpan timeout) =>
        [.. group.Meet(Rank, message.ToArray(), timeout).Cast<byte[]>()];

    private static Tensor Sum(object?[] tensors)
    {
        var sum = ((Tensor)tensors[0]!).clone();
        for (int rank = 1; rank < tensors.Length; rank++)
            sum.add_((Tensor)tensors[rank]!);
        return sum;
    }

    private static async Task RunRankAsync(InProcessCollectives own, Func<ICollectives, Task> program)
    {
        Ambient.Value = own;
        try
        {
            await program(own).ConfigureAwait(false);
            own.group.End(own.Rank, new RankFailedException(own.Rank, "its program has ended while others still train"));
        }
        catch (Exception error)
        {
            own.group.End(own.Rank, RankFailedException.Of(own.Rank, error));
            throw;
        }
    }
}
