namespace PostTrain.Samples.Support;

/// <summary>The directories of the samples' models.</summary>
public static class Folders
{
    /// <summary>The base model of the arithmetic samples, made by <c>samples/experiments/arithmetic-base.cs</c>.</summary>
    public static string ArithmeticBase => Path.Combine(Samples, "models", "arithmetic-base");

    /// <summary>The story model in POSTTRAIN_MODELS (by default <c>../shared/models</c>); null if there is none.</summary>
    public static string? StoryModel
    {
        get
        {
            string models = Environment.GetEnvironmentVariable("POSTTRAIN_MODELS") is { Length: > 0 } named
                ? named
                : Path.Combine("..", "shared", "models");
            string folder = Path.Combine(models, "stories260K-hf");
            return Directory.Exists(folder) ? folder : null;
        }
    }

    // Where the program's file lies, or the folder above it: samples, and samples/experiments.
    private static string Samples
    {
        get
        {
            var folder = AppContext.GetData("EntryPointFileDirectoryPath") as string;
            while (folder is not null && !Directory.Exists(Path.Combine(folder, "models")))
                folder = Path.GetDirectoryName(folder);
            return folder ?? Path.GetFullPath("samples");
        }
    }
}
