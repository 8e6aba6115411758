using PostTrain.Data.Records.Files;

namespace PostTrain.Data.Records;

/// <summary>Reads data sets in their usual published forms: JSON Lines, JSON, CSV and Parquet files, and directories as the hub lays them
/// out.</summary>
/// <remarks>
/// The extension decides: <c>.csv</c> and <c>.tsv</c> are tables with a header, <c>.parquet</c> is Parquet, every other file is JSON Lines
/// or one JSON array of objects. In a directory the files of one split are read, <c>train</c> unless the options say otherwise, in the
/// order of their names: <c>data/train-00000-of-00002.parquet</c>, <c>train.jsonl</c>, <c>train/part-1.csv</c>.
/// <see cref="RecordForms"/> says which fields are read. Every error is an <see cref="InvalidDataException"/> that names the file, the
/// line, row or record, its fields and
/// the fields expected; a missing file is a <see cref="FileNotFoundException"/>.
/// </remarks>
/// <example><code>
/// var data = RecordReader.Demonstrations("alpaca.json", InstructionTemplate.Alpaca);
/// var problems = RecordReader.Problems("gsm8k.jsonl", InstructionTemplate.Plain);          // the answer is the text after ####
/// </code></example>
public static class RecordReader
{
    /// <summary>Reads demonstrations: <see cref="RecordForms.Demonstrations"/>.</summary>
    /// <param name="path">The file or directory.</param>
    /// <param name="template">Renders instructions and conversations as prompts.</param>
    public static RecordSet<Demonstration> Demonstrations(string path, InstructionTemplate template) =>
        Demonstrations(path, template, new RecordOptions());

    /// <summary>Reads demonstrations: <see cref="RecordForms.Demonstrations"/>.</summary>
    /// <param name="path">The file or directory.</param>
    /// <param name="template">Renders instructions and conversations as prompts.</param>
    /// <param name="options">Split, what is learnt, what is skipped.</param>
    public static RecordSet<Demonstration> Demonstrations(string path, InstructionTemplate template, RecordOptions options) =>
        Read(path, RecordForms.Demonstrations(template), options);

    /// <summary>Reads preferences: <see cref="RecordForms.Pairs"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate)"/>
    public static RecordSet<PreferencePair> Pairs(string path, InstructionTemplate template) => Pairs(path, template, new RecordOptions());

    /// <summary>Reads preferences: <see cref="RecordForms.Pairs"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate, RecordOptions)"/>
    public static RecordSet<PreferencePair> Pairs(string path, InstructionTemplate template, RecordOptions options) =>
        Read(path, RecordForms.Pairs(template), options);

    /// <summary>Reads completions with a verdict: <see cref="RecordForms.Judged"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate)"/>
    public static RecordSet<JudgedCompletion> Judged(string path, InstructionTemplate template) =>
        Judged(path, template, new RecordOptions());

    /// <summary>Reads completions with a verdict: <see cref="RecordForms.Judged"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate, RecordOptions)"/>
    public static RecordSet<JudgedCompletion> Judged(string path, InstructionTemplate template, RecordOptions options) =>
        Read(path, RecordForms.Judged(template), options);

    /// <summary>Reads problems with a reference answer: <see cref="RecordForms.Problems"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate)"/>
    public static RecordSet<Problem> Problems(string path, InstructionTemplate template) => Problems(path, template, new RecordOptions());

    /// <summary>Reads problems with a reference answer: <see cref="RecordForms.Problems"/>.</summary>
    /// <inheritdoc cref="Demonstrations(string, InstructionTemplate, RecordOptions)"/>
    public static RecordSet<Problem> Problems(string path, InstructionTemplate template, RecordOptions options) =>
        Read(path, RecordForms.Problems(template), options);

    /// <summary>Reads every example of a data set.</summary>
    /// <typeparam name="T">Type of the examples.</typeparam>
    /// <param name="path">The file or directory.</param>
    /// <param name="form">Form of the examples.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>The examples in the order of the files, at least one, and what was found on the way.</returns>
    /// <exception cref="FileNotFoundException">There is no such file, or the directory has no data of the split.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, a record lacks fields, or there is no record.</exception>
    public static RecordSet<T> Read<T>(string path, RecordForm<T> form, RecordOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(form);
        options ??= new RecordOptions();
        var tally = new RecordTally(RecordFiles.Of(path, options.Split));
        var examples = Examples(tally, form, options).ToList();
        if (tally.Records == 0)
            throw new InvalidDataException($"{path} holds no records, expected {RecordRows.Expected} with {form.Expected}");
        if (examples.Count == 0)
            throw new InvalidDataException(
                $"{path} holds no record that can be used: "
                    + $"{(tally.Skipped.Count > 0 ? $"{tally.Skipped[0].Place}: {tally.Skipped[0].Reason}" : $"expected {form.Expected}")}"
            );
        return new RecordSet<T>(examples, tally);
    }

    /// <summary>Reads the examples of a data set one after the other, for data larger than memory: no more is held than one record of a
    /// JSON Lines, JSON or CSV file, or one row group of a Parquet file.</summary>
    /// <remarks>Each enumeration opens the files anew. Take examples in chunks and train on each: <c>foreach (var chunk in
    /// RecordReader.Stream(path, form).Chunk(64)) trainer.Step(chunk)</c>.</remarks>
    /// <inheritdoc cref="Read{T}(string, RecordForm{T}, RecordOptions)"/>
    public static IEnumerable<T> Stream<T>(string path, RecordForm<T> form, RecordOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(form);
        options ??= new RecordOptions();
        var files = RecordFiles.Of(path, options.Split);
        return Enumerate();

        IEnumerable<T> Enumerate()
        {
            foreach (var example in Examples(new RecordTally(files), form, options))
                yield return example;
        }
    }

    /// <summary>Reads examples one after the other and keeps account.</summary>
    internal static IEnumerable<T> Examples<T>(RecordTally tally, RecordForm<T> form, RecordOptions options)
    {
        options.Validate();
        foreach (string file in tally.Files)
        foreach (var record in RecordRows.Of(file))
        {
            if (tally.Records == options.MaximumRecords)
                yield break;
            IReadOnlyList<T> converted = [];
            try
            {
                converted = record.Convert(each => form.Convert(each, options), form.Expected);
            }
            catch (InvalidDataException error) when (options.SkipsInvalid)
            {
                string prefix = record.Place + ": ";
                string reason = error.Message.StartsWith(prefix, StringComparison.Ordinal) ? error.Message[prefix.Length..] : error.Message;
                tally.Skip(record.Place, reason);
            }
            tally.Read(record);
            foreach (var example in converted)
                yield return example;
        }
    }
}
