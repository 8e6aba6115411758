namespace PostTrain.Training.Distributed;

/// <summary>Files of reports, which only the first of the processes that <c>mpirun</c> started writes.</summary>
internal static class RankFile
{
    /// <summary>True in the process that writes them: the first, or one of its own.</summary>
    internal static bool IsWritten { get; } = Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK") is null or "0";

    /// <summary>Opens a file without a buffer; in the other processes, one that keeps nothing.</summary>
    internal static FileStream Open(string path, FileMode mode) =>
        IsWritten
            ? new FileStream(path, mode, FileAccess.Write, FileShare.Read, bufferSize: 0)
            : new FileStream(
                OperatingSystem.IsWindows() ? "NUL" : "/dev/null",
                FileMode.Open,
                FileAccess.Write,
                FileShare.ReadWrite,
                bufferSize: 0
            );
}
