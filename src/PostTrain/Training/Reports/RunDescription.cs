using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using PostTrain.Runtime;

namespace PostTrain.Training.Reports;

/// <summary>The description of a run: method, model, data with their digest, options, versions, seed. It goes into <c>summary.json</c>,
/// onto the page of the run and into the card of the model.</summary>
/// <example><code>
/// var run = RunDescription.Of("sft", options) with { Model = folder, Data = file, DataDigest = RunDescription.DigestOf(file) };
/// SummaryFile.Write("out/summary.json", run, new Dictionary&lt;string, object&gt; { ["loss"] = 0.7 });
/// </code></example>
/// <param name="Method">Name of the method, such as <c>sft</c>.</param>
/// <param name="Options">Names and values of the options, in reading order.</param>
public sealed record RunDescription(string Method, IReadOnlyList<KeyValuePair<string, string>> Options)
{
    /// <summary>Directory or name of the base model; null if unknown.</summary>
    /// <value>The default is null.</value>
    public string? Model { get; init; }

    /// <summary>File or directory of the training data; null if unknown.</summary>
    /// <value>The default is null.</value>
    public string? Data { get; init; }

    /// <summary>Digest of the data (<see cref="DigestOf"/>); null if unknown.</summary>
    /// <value>The default is null.</value>
    public string? DataDigest { get; init; }

    /// <summary>Numbers that are trained; null if unknown.</summary>
    /// <value>The default is null.</value>
    public long? TrainedParameters { get; init; }

    /// <summary>Seed of the run; null if unknown.</summary>
    /// <value>The default is null.</value>
    public ulong? Seed { get; init; }

    /// <summary>Versions of the libraries, the system and its processors.</summary>
    /// <value>The default is this process's.</value>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = Here();

    /// <summary>Describes a trainer's options: every one that has a value other than an object or a function.</summary>
    /// <param name="method">Name of the method.</param>
    /// <param name="options">The options.</param>
    public static RunDescription Of(string method, TrainingOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(method);
        ArgumentNullException.ThrowIfNull(options);
        var values = options
            .GetType()
            .GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(property => (property.Name, Text: TextOf(property.GetValue(options))))
            .Where(item => item.Text is not null && item.Name != nameof(TrainingOptions.Seed))
            .Select(item => KeyValuePair.Create(item.Name, item.Text!));
        return new RunDescription(method, [.. values]) { Seed = options.Seed };
    }

    /// <summary>Computes the SHA-256 digest of a file, or of all files of a directory with their names, in hexadecimal.</summary>
    /// <param name="path">The file or directory.</param>
    /// <param name="cancellation">Checked between blocks of a megabyte.</param>
    /// <exception cref="FileNotFoundException">There is neither a file nor a directory of this name.</exception>
    public static string DigestOf(string path, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        bool isDirectory = Directory.Exists(path);
        if (!isDirectory && !File.Exists(path))
            throw new FileNotFoundException($"There is no file or directory '{path}'.", path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var files = isDirectory
            ? Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            : Enumerable.Repeat(path, 1);
        var block = new byte[1 << 20];
        foreach (var file in files)
        {
            if (isDirectory)
                hash.AppendData(System.Text.Encoding.UTF8.GetBytes(Path.GetRelativePath(path, file).Replace('\\', '/') + "\0"));
            using var stream = File.OpenRead(file);
            for (int read; (read = stream.Read(block)) > 0; )
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(block.AsSpan(0, read));
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Everything as names and values for a reader, without what is unknown.</summary>
    public IEnumerable<KeyValuePair<string, string>> Rows()
    {
        var known = new (string Name, string? Value)[]
        {
            ("method", Method),
            ("model", Model),
            ("trained parameters", TrainedParameters?.ToString("N0", CultureInfo.InvariantCulture)),
            ("data", Data),
            ("data, SHA-256", DataDigest is { Length: > 16 } digest ? digest[..16] : DataDigest),
            ("seed", Seed?.ToString(CultureInfo.InvariantCulture)),
        };
        return known
            .Where(item => item.Value is not null)
            .Select(item => KeyValuePair.Create(item.Name, item.Value!))
            .Concat(Options.Where(option => option.Key is not ("model" or "data" or "seed")))
            .Concat(Environment);
    }

    private static KeyValuePair<string, string>[] Here() =>
        [
            new("PostTrain", Version(typeof(RunDescription).Assembly)),
            new("engine", EngineFacts.Describe()),
            new(".NET", System.Environment.Version.ToString()),
            new("system", $"{RuntimeInformation.OSDescription.Trim()}, {RuntimeInformation.OSArchitecture}".ToLowerInvariant()),
            new("processors", System.Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)),
        ];

    private static string Version(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    private static string? TextOf(object? value) =>
        value switch
        {
            null or Delegate => null,
            string text => text,
            bool flag => flag ? "true" : "false",
            Enum name => name.ToString(),
            IFormattable number when value.GetType().IsPrimitive => number.ToString(null, CultureInfo.InvariantCulture),
            _ when HasOwnText(value.GetType()) => value.ToString(),
            _ => null,
        };

    // A value that says what it is: not a collection, not an object with the type's name as its text.
    private static bool HasOwnText(Type type) =>
        type.GetMethod(nameof(ToString), Type.EmptyTypes)!.DeclaringType is { } declaring
        && declaring != typeof(object)
        && declaring != typeof(ValueType)
        && !typeof(System.Collections.IEnumerable).IsAssignableFrom(type);
}
