using System.Text.Json;

namespace PostTrain.Tests.Golden;

/// <summary>The golden values of one area: numbers that reference implementations gave for inputs which are stored beside them.</summary>
internal sealed record GoldenFile(string Area, IReadOnlyList<GoldenCase> Cases)
{
    /// <summary>Where the files are: POSTTRAIN_GOLDEN, else tests/golden above the test's assembly.</summary>
    internal static string Directory { get; } = FindDirectory();

    /// <summary>Reads AREA.json; null where the directory has no such file.</summary>
    internal static GoldenFile? Load(string area)
    {
        string path = Path.Combine(Directory, area + ".json");
        if (!File.Exists(path))
            return null;
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = document.RootElement.Clone();
        int format = root.GetProperty("format").GetInt32();
        if (format != 1)
            throw new NotSupportedException($"{path} has format {format}, expected 1");
        var batches = root.TryGetProperty("batches", out var found) ? found : default;
        return new GoldenFile(area, [.. root.GetProperty("cases").EnumerateArray().Select(item => new GoldenCase(item, batches))]);
    }

    private static string FindDirectory()
    {
        if (Environment.GetEnvironmentVariable("POSTTRAIN_GOLDEN") is { Length: > 0 } given)
            return System.IO.Directory.Exists(given)
                ? given
                : throw new DirectoryNotFoundException($"POSTTRAIN_GOLDEN is {given}, which is not a directory");
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "tests", "golden");
            if (System.IO.Directory.Exists(candidate))
                return candidate;
        }
        throw new DirectoryNotFoundException($"there is no tests/golden above {AppContext.BaseDirectory}; set POSTTRAIN_GOLDEN");
    }
}
