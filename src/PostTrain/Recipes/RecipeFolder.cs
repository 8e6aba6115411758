using PostTrain.Data;
using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>Directory of a recipe's run; without a path it keeps nothing.</summary>
internal sealed class RecipeFolder
{
    private readonly string? path;

    private RecipeFolder(string? path) => this.path = path;

    internal static RecipeFolder Open(string? path, bool resumes)
    {
        if (path is not null && !resumes && Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new InvalidOperationException(
                $"the directory {path} is not empty, expected a new one, or a call of Resume to go on with the run that it holds"
            );
        return new RecipeFolder(path);
    }

    /// <summary>Returns the folder of a round.</summary>
    internal RecipeFolder Round(int round) => new(path is null ? null : Path.Combine(path, $"round-{round}"));

    /// <summary>Returns options whose checkpoints go into the stage's directory.</summary>
    internal T Options<T>(T options, string stage)
        where T : TrainingOptions
    {
        ArgumentNullException.ThrowIfNull(options);
        return path is null ? options : options with { CheckpointDirectory = Path.Combine(path, stage) };
    }

    /// <summary>Resumes a stage's trainer from its last checkpoint, where there is one.</summary>
    internal void Resume(Action<string> resume, string stage)
    {
        if (path is not null && Checkpoint.Latest(Path.Combine(path, stage)) is { } checkpoint)
            resume(checkpoint);
    }

    /// <summary>Reads records that an earlier run has written; null where there are none.</summary>
    internal IReadOnlyList<T>? Read<T>(string name)
    {
        if (path is null || Path.Combine(path, name) is var file && !File.Exists(file))
            return null;
        return new FileInfo(file).Length == 0 ? [] : JsonLines.Read<T>(file);
    }

    /// <summary>Writes records, whole or not at all.</summary>
    internal void Write<T>(string name, IEnumerable<T> records)
    {
        if (path is null)
            return;
        Directory.CreateDirectory(path);
        JsonLines.Write(Path.Combine(path, name), records);
    }
}
