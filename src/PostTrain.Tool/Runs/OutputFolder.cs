using PostTrain.Training;

namespace PostTrain.Tool;

/// <summary>The directory of a run. Nothing is written before <see cref="Prepare"/>.</summary>
internal sealed class OutputFolder
{
    private const string Checkpoints = "checkpoints";
    private static readonly string[] Folders = [Checkpoints, "tensorboard", "model", "adapter"],
        Files = [RunFile.Name, "metrics.jsonl", "completions.jsonl", "report.html", "summary.json"];
    private readonly bool overwrites;

    private OutputFolder(string path, bool isResumed, bool overwrites) =>
        (Path, IsResumed, this.overwrites) = (path, isResumed, overwrites);

    internal string Path { get; }

    /// <summary>True if an earlier run goes on.</summary>
    internal bool IsResumed { get; }

    /// <summary>The checkpoint from which it goes on; null for a start from step 0.</summary>
    internal string? Checkpoint => IsResumed ? Training.Checkpoint.Latest(CheckpointFolder) : null;

    internal string CheckpointFolder => PathOf(Checkpoints);

    internal string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Chooses the directory of a run.</summary>
    /// <param name="name">Name of the command, for a directory that the user does not name.</param>
    /// <param name="output">The user's; null: <c>runs/NAME</c>, or the next free number.</param>
    /// <param name="resume">True to go on with the run in it.</param>
    /// <param name="overwrite">True to replace the run in it.</param>
    /// <exception cref="UsageException">The directory is in use, or holds no run to go on with.</exception>
    internal static OutputFolder Choose(string name, string? output, bool resume, bool overwrite)
    {
        if (resume && overwrite)
            throw new UsageException("--resume and --overwrite are both given, expected one of them");
        if (output is null)
        {
            if (resume)
                throw new UsageException("--resume is given without --output, expected the directory of the run");
            var place = System.IO.Path.Combine("runs", name);
            var free = place;
            for (int number = 2; IsUsed(free); number++)
                free = $"{place}-{number}";
            return new OutputFolder(free, isResumed: false, overwrites: false);
        }
        if (File.Exists(output))
            throw new UsageException($"--output is {output}, which is a file, expected a directory");
        bool holdsRun = File.Exists(System.IO.Path.Combine(output, RunFile.Name));
        if (resume)
            return holdsRun
                ? new OutputFolder(output, isResumed: true, overwrites: false)
                : throw new UsageException($"--resume is given, but {output} holds no run (no {RunFile.Name})");
        if (!IsUsed(output))
            return new OutputFolder(output, isResumed: false, overwrites: false);
        if (!holdsRun)
            throw new UsageException($"--output is {output}, which is not empty and holds no run: choose another one");
        return overwrite
            ? new OutputFolder(output, isResumed: false, overwrites: true)
            : throw new UsageException(
                $"--output is {output}, which holds a run: --resume goes on with it, --overwrite replaces it, another --output keeps it"
            );
    }

    /// <summary>Makes the directory, and takes away the run that is replaced: what the tool wrote and nothing else.</summary>
    internal void Prepare()
    {
        Directory.CreateDirectory(Path);
        if (!overwrites)
            return;
        foreach (var folder in Folders.Select(PathOf).Where(Directory.Exists))
            Directory.Delete(folder, recursive: true);
        foreach (var file in Files.Select(PathOf))
            File.Delete(file);
    }

    /// <summary>Fills a directory beside its place and renames it when it is whole.</summary>
    /// <returns>The path of the directory.</returns>
    internal string Publish(string name, Action<string> write) => Publish(System.IO.Path.GetFullPath(Path), name, write);

    /// <inheritdoc cref="Publish(string, Action{string})"/>
    internal static string Publish(string parent, string name, Action<string> write)
    {
        string target = System.IO.Path.Combine(parent, name),
            beside = System.IO.Path.Combine(parent, $".{name}.{Guid.NewGuid():N}"),
            old = beside + ".old";
        Directory.CreateDirectory(parent);
        try
        {
            write(beside);
            if (Directory.Exists(target))
                Directory.Move(target, old);
            Directory.Move(beside, target);
        }
        finally
        {
            foreach (var left in (string[])[beside, old])
                if (Directory.Exists(left))
                    Directory.Delete(left, recursive: true);
        }
        return target;
    }

    private static bool IsUsed(string path) =>
        File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any());
}
