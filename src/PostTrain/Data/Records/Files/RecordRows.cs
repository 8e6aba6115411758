namespace PostTrain.Data.Records.Files;

/// <summary>Reads the records of a file by its extension, one after the other.</summary>
internal static class RecordRows
{
    internal const string Expected = "JSON Lines, one JSON array of objects, CSV or TSV with a header (each also as .gz), or Parquet";

    /// <summary>Returns the records of a file. Each is valid until the next is asked for.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is malformed; the message names file, place and reason.</exception>
    internal static IEnumerable<JsonRecord> Of(string path) =>
        ExtensionOf(path) switch
        {
            ".parquet" => ParquetRows.Of(path),
            ".csv" => CsvRows.Of(path, ','),
            ".tsv" => CsvRows.Of(path, '\t'),
            _ => JsonRows.Of(path),
        };

    /// <summary>Returns the extension in lower case, without the <c>.gz</c> of a compressed file.</summary>
    internal static string ExtensionOf(string path) =>
        Path.GetExtension(path).ToLowerInvariant() is var extension and not ".gz" ? extension : ExtensionOf(path[..^3]);

    /// <summary>Returns the name of a file without its extensions.</summary>
    internal static string StemOf(string path)
    {
        string name = Path.GetFileName(path);
        return Path.GetFileNameWithoutExtension(name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? name[..^3] : name);
    }

    /// <summary>Reads and converts every record of a file.</summary>
    /// <typeparam name="T">The result of converting a record.</typeparam>
    /// <param name="path">The file.</param>
    /// <param name="expected">The expected fields, for errors.</param>
    /// <param name="convert">Converts a record; null if it lacks the fields.</param>
    internal static IReadOnlyList<T> Read<T>(string path, string expected, Func<JsonRecord, IEnumerable<T>?> convert) =>
        RecordReader.Read(path, new RecordForm<T>(expected, (record, _) => convert(record)));
}
