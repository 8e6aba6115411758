namespace PostTrain.Training.Distributed;

/// <summary>A rank of a run that has failed, ended, or does not answer. Every rank that still runs gets the same message.</summary>
/// <param name="rank">Number of the rank.</param>
/// <param name="cause">Its failure.</param>
/// <param name="inner">The exception, on the rank that it was thrown on.</param>
public sealed class RankFailedException(int rank, string cause, Exception? inner = null)
    : InvalidOperationException($"rank {rank}: {cause}", inner)
{
    /// <summary>Number of the rank.</summary>
    public int Rank { get; } = rank;

    internal string Cause { get; } = cause;

    /// <summary>Text that the other ranks get of an exception that ends a rank.</summary>
    internal static RankFailedException Of(int rank, Exception error) =>
        error as RankFailedException ?? new RankFailedException(rank, $"{error.GetType().Name}: {error.Message}", error);
}
