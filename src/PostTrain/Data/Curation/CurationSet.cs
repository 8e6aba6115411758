namespace PostTrain.Data.Curation;

/// <summary>Starts curation of a data set.</summary>
public static class CurationSet
{
    /// <summary>Gives records their provenance.</summary>
    /// <typeparam name="T">The record's type.</typeparam>
    /// <param name="records">The records.</param>
    /// <param name="source">Name of the data set, such as its file.</param>
    /// <param name="text">The text by which records are compared and measured.</param>
    public static CurationSet<T> Of<T>(IEnumerable<T> records, string source, Func<T, string> text)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentNullException.ThrowIfNull(text);
        return new CurationSet<T>([.. records.Select((record, i) => new CuratedRecord<T>(record, new Provenance(source, i, [])))], text);
    }

    /// <summary>Reads a file of JSON Lines.</summary>
    /// <typeparam name="T">The record's type.</typeparam>
    /// <param name="path">The file; its name is the source.</param>
    /// <param name="text">The text by which records are compared and measured.</param>
    /// <exception cref="InvalidDataException">A line is malformed; the message names it.</exception>
    public static CurationSet<T> Read<T>(string path, Func<T, string> text)
        where T : class => Of(JsonLines.Read<T>(path), Path.GetFileName(path), text);
}
