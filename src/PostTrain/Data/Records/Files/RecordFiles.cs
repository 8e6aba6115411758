using System.Globalization;
using System.Text.RegularExpressions;

namespace PostTrain.Data.Records.Files;

/// <summary>Finds the files of a data set: one file, or those of a split in a directory as the hub lays it out.</summary>
internal static partial class RecordFiles
{
    private const int MostDepth = 4;
    private const int MostFiles = 100_000;
    private static readonly string[] Extensions = [".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv"];

    // What stands beside data: descriptions, settings of models and tokenizers.
    private static readonly string[] Others = ["dataset_info.json", "dataset_infos.json", "config.json", "state.json", "tokenizer.json"];

    private static readonly (string Split, string[] Words)[] Splits =
    [
        ("train", ["train", "training"]),
        ("validation", ["validation", "valid", "val", "dev"]),
        ("test", ["test", "testing", "eval", "evaluation"]),
    ];

    /// <summary>Returns the files in the order in which they are read.</summary>
    /// <param name="path">A file or directory.</param>
    /// <param name="split">Name of a split; null: train, or all files where none is named after a split.</param>
    /// <exception cref="FileNotFoundException">There is nothing at the path, or no file of the split.</exception>
    /// <exception cref="InvalidDataException">A part of several is missing, or the split is not clear.</exception>
    internal static IReadOnlyList<string> Of(string path, string? split)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
            return File.Exists(path)
                ? [path]
                : throw new FileNotFoundException(
                    $"{path} does not exist, expected {RecordRows.Expected}, or a directory of such files",
                    path
                );
        string root = Path.GetFullPath(path);
        DataFile[] all =
        [
            .. Found(root, 0).Take(MostFiles).Select(file => new DataFile(file, NameOf(root, file), DirectoryOf(root, file))),
        ];
        if (all.Length == 0)
            throw new FileNotFoundException($"{path} holds no data, expected files with {string.Join(", ", Extensions)}", path);
        var chosen = Chosen(all, split, path);
        string[] places = [.. chosen.Select(file => file.Directory + "*" + RecordRows.ExtensionOf(file.Path)).Distinct()];
        if (places.Length > 1)
            throw new InvalidDataException(
                $"{path} holds data in several places: {string.Join(", ", places)}; expected one: give that directory or file"
            );
        CheckParts(chosen, path);
        return [.. chosen.Select(file => file.Path)];
    }

    private static DataFile[] Chosen(DataFile[] all, string? split, string path)
    {
        var bySplit = all.GroupBy(file => file.Split ?? "", StringComparer.OrdinalIgnoreCase)
            .ToDictionary(group => group.Key, group => group.ToArray(), StringComparer.OrdinalIgnoreCase);
        string wanted = split ?? "train";
        if (bySplit.TryGetValue(wanted, out var exact))
            return exact;
        if (split is null && bySplit.Count == 1 && bySplit.TryGetValue("", out var unnamed))
            return unnamed;
        // train_sft and train_prefs are both of train: which one is for the user to say.
        string[] near = [.. bySplit.Keys.Where(name => SplitOf(name) == wanted)];
        if (near.Length == 1)
            return bySplit[near[0]];
        string names = string.Join(
            ", ",
            bySplit.Keys.Select(name => name.Length == 0 ? "files without a split" : name).Order(StringComparer.Ordinal)
        );
        throw near.Length > 1
            ? new InvalidDataException(
                $"{path} has several splits for {wanted}: {string.Join(", ", near.Order(StringComparer.Ordinal))}; expected the name of one"
            )
            : new FileNotFoundException($"{path} has no split {wanted}, expected one of: {names}", path);
    }

    // train-00001-of-00002.parquet without its brother would be half of the data without a word.
    private static void CheckParts(DataFile[] files, string path)
    {
        var parts = files.Select(file => Part().Match(RecordRows.StemOf(file.Path))).ToArray();
        if (parts.Length == 0 || !parts.All(part => part.Success))
            return;
        int Number(Match match, string name) => int.Parse(match.Groups[name].ValueSpan, CultureInfo.InvariantCulture);
        int count = Number(parts[0], "count");
        var numbers = parts.Select(part => Number(part, "part")).ToHashSet();
        if (count < 1 || count > MostFiles || parts.Any(part => Number(part, "count") != count))
            throw new InvalidDataException(
                $"{path} mixes parts of different data sets: {string.Join(", ", files.Take(3).Select(file => Path.GetFileName(file.Path)))}"
            );
        int missing = Enumerable.Range(0, count).FirstOrDefault(number => !numbers.Contains(number), -1);
        if (missing >= 0)
            throw new InvalidDataException(
                $"{path} has {numbers.Count} of {count} parts of {files[0].Split}: part {missing:D5} is missing"
            );
    }

    private static IEnumerable<string> Found(string directory, int depth)
    {
        foreach (string file in Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (!name.StartsWith('.') && Extensions.Contains(RecordRows.ExtensionOf(name)) && !Others.Contains(name))
                yield return file;
        }
        if (depth == MostDepth)
            yield break;
        foreach (string inner in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal))
            if (!Path.GetFileName(inner).StartsWith('.') && new DirectoryInfo(inner).LinkTarget is null)
                foreach (string file in Found(inner, depth + 1))
                    yield return file;
    }

    // Of data/train-00000-of-00002-abcdef.parquet: train. Of train/a.csv and my_train.csv too.
    private static string? NameOf(string root, string file)
    {
        string name = RecordRows.StemOf(file);
        if (Part().Match(name) is { Success: true } part)
            return part.Groups["name"].Value;
        if (SplitOf(name) is { } own)
            return own;
        return Path.GetRelativePath(root, Path.GetDirectoryName(file)!)
            .Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar)
            .Reverse()
            .Select(SplitOf)
            .FirstOrDefault(found => found is not null);
    }

    // Directories that name a split are one place.
    private static string DirectoryOf(string root, string file) =>
        string.Concat(
            Path.GetRelativePath(root, Path.GetDirectoryName(file)!)
                .Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar)
                .Where(part => part != "." && SplitOf(part) is null)
                .Select(part => part + "/")
        );

    private static string? SplitOf(string name)
    {
        string[] words = Words().Split(name.ToLowerInvariant());
        return Splits.FirstOrDefault(split => words.Intersect(split.Words).Any()).Split;
    }

    [GeneratedRegex(@"^(?<name>.+?)-(?<part>\d{5})-of-(?<count>\d{5})(-[0-9a-f]+)?$", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Part();

    [GeneratedRegex(@"[^a-z]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Words();

    private sealed record DataFile(string Path, string? Split, string Directory);
}
