namespace PostTrain.Samples.Support;

/// <summary>Where the samples find what belongs to them.</summary>
public static class Folders
{
    /// <summary>The base model of the arithmetic samples, made by <c>samples/arithmetic-base.cs</c>.</summary>
    public static string ArithmeticBase => Path.Combine(Samples, "models", "arithmetic-base");

    private static string Samples =>
        AppContext.GetData("EntryPointFileDirectoryPath") as string is { } folder && Directory.Exists(folder) ? folder : Path.GetFullPath("samples");
}
