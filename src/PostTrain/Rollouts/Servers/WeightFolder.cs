using System.Globalization;

namespace PostTrain.Rollouts.Servers;

/// <summary>Folder of numbered weights, as this process and as the server see it.</summary>
internal sealed record WeightFolder(string Own, string? Server, string Name)
{
    /// <summary>Returns the name of weights.</summary>
    internal string NameOf(long version) => $"{Name}-{version.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Returns the number in a name; null if it is none of this folder's.</summary>
    internal long? VersionOf(string? name) =>
        name is not null
        && name.StartsWith(Name + "-", StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(Name.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? version
            : null;

    /// <summary>Returns the directory of weights in this process.</summary>
    internal string PathOf(long version) => Path.Combine(Own, NameOf(version));

    /// <summary>Returns the directory of weights on the server.</summary>
    internal string ServerPathOf(long version) =>
        Server is null
            ? PathOf(version)
            : Server.TrimEnd('/', '\\') + (Server.Contains('\\', StringComparison.Ordinal) ? "\\" : "/") + NameOf(version);

    /// <summary>Deletes the files of weights, as far as they can be deleted.</summary>
    internal void Delete(long version)
    {
        try
        {
            if (Directory.Exists(PathOf(version)))
                Directory.Delete(PathOf(version), recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A file that the server still reads; it costs space only.
        }
    }
}
